import { type Instance, instances } from "./live.ts";
import { Age, Empty, Loading, Panel, cli } from "./panel.tsx";
import { showNumber } from "./show.ts";

/** Rows of the list; what is silent is last, and so is what is left out. */
const maxRows = 300;

const ranks = { active: 0, pending: 1, stale: 2 } as const;

/** Who is there, and what they work on. */
export function Instances() {
  const all = instances.value;
  const active = all?.filter(({ status }) => status === "active").length ?? 0;
  return (
    <Panel id="instances" title="Instances" scrolls count={all && count(all.length, active)}>
      {!all && <Loading />}
      {all?.length === 0 && (
        <Empty command={cli("register NAME")}>Nobody is here yet. Register an agent:</Empty>
      )}
      {all && all.length > 0 && <Table rows={sorted(all).slice(0, maxRows)} />}
      {all && all.length > maxRows && (
        <p class="more">The first {maxRows} of them; all: koor-cli instances list</p>
      )}
    </Panel>
  );
}

function count(all: number, active: number): string {
  return all === 0 ? "0" : `${showNumber(active)} active of ${showNumber(all)}`;
}

/** In an order that stays while they work. */
function sorted(list: readonly Instance[]): Instance[] {
  return list.toSorted(
    (a, b) => ranks[a.status] - ranks[b.status] || a.name.localeCompare(b.name) || (a.id < b.id ? -1 : 1),
  );
}

function Table({ rows }: { rows: readonly Instance[] }) {
  return (
    <table class="rows" role="table">
      <thead role="rowgroup">
        <tr role="row">
          <th role="columnheader" scope="col" class="name">
            Name
          </th>
          <th role="columnheader" scope="col" class="intent">
            Intent
          </th>
          <th role="columnheader" scope="col" class="workspace">
            Workspace
          </th>
          <th role="columnheader" scope="col" class="stack">
            Stack
          </th>
          <th role="columnheader" scope="col" class="seen">
            Status, last seen
          </th>
        </tr>
      </thead>
      <tbody role="rowgroup">
        {rows.map((row) => (
          <Row key={row.id} {...row} />
        ))}
      </tbody>
    </table>
  );
}

function Row({ id, name, intent, workspace, stack, status, last_seen: seen }: Instance) {
  return (
    <tr role="row" data-instance={id} data-status={status} title={id}>
      <th role="rowheader" scope="row" class="name">
        {name}
      </th>
      <td role="cell" class="intent" title={intent}>
        <span>{intent}</span>
      </td>
      <td role="cell" class="workspace">
        {workspace}
      </td>
      <td role="cell" class="stack">
        {stack}
      </td>
      <td role="cell" class="seen">
        <span class="status">{status}</span> <Age at={seen} />
      </td>
    </tr>
  );
}
