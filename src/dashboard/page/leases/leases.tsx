import { useState } from "preact/hooks";
import { blockers } from "../live/blockers.ts";
import { leases } from "../live/lists.ts";
import { pathsOf } from "../now/card.tsx";
import { confirm } from "../parts/dialog.tsx";
import { Age, Empty, Fault, Loading, Panel, ViewFrame, cli } from "../parts/panel.tsx";
import { SearchField } from "../parts/search-field.tsx";
import { count, showNumber } from "../parts/show.ts";
import { type Column, Table } from "../parts/table.tsx";
import { type Lease, client } from "../server.ts";

/** Leases that are drawn of each kind: the server has a thousand at most, and search finds each. */
const maxRows = 100;

/** Who holds what, until when, and who waits for it. */
export function Leases() {
  const all = leases.use();
  const [words, setWords] = useState("");
  const found = all?.filter((lease) => textOf(lease).includes(words.toLowerCase())) ?? [];
  const held = found.filter(({ state }) => state === "held");
  const waiting = found.filter(({ state }) => state === "waiting");
  return (
    <ViewFrame
      title="Leases"
      summary={all && all.length > 0 ? `${held.length} held, ${waiting.length} waiting` : undefined}
      tools={all && all.length > 0 && <SearchField of="leases" value={words} onInput={setWords} />}
    >
      <Fault text={leases.fault.value} />
      {!all && <Loading />}
      {all?.length === 0 && (
        <div class="panel">
          <Empty command={cli("lease run 'src/api/**' --note 'orders API' -- npm run codegen")}>
            Nothing is leased. An agent leases the paths that it is about to change, here for as long as a
            command runs:
          </Empty>
        </div>
      )}
      {all && all.length > 0 && found.length === 0 && <p class="panel empty">No lease has this in it.</p>}
      {waiting.length > 0 && (
        <Panel id="waiting" title="Waiting" count={count(waiting.length, "agent")}>
          <Rows label="Who waits" columns={waitingColumns} leases={waiting} />
        </Panel>
      )}
      {held.length > 0 && (
        <Panel id="held" title="Held" count={count(held.length, "lease")}>
          <Rows label="Who holds what" columns={heldColumns} leases={held} />
        </Panel>
      )}
    </ViewFrame>
  );
}

interface RowsProps {
  label: string;
  columns: readonly Column<Lease>[];
  leases: readonly Lease[];
}

function Rows({ label, columns, leases: rows }: RowsProps) {
  return (
    <>
      <Table label={label} columns={columns} rows={rows.slice(0, maxRows)} keyOf={idOf} marks={marksOf} />
      {rows.length > maxRows && (
        <p class="more">
          The first {maxRows} of {showNumber(rows.length)}; search finds the others
        </p>
      )}
    </>
  );
}

function textOf(lease: Lease): string {
  return `${lease.holder} ${pathsOf(lease)} ${lease.note}`.toLowerCase();
}

const idOf = ({ id }: Lease) => id;
const marksOf = ({ id, state }: Lease) => ({ "data-lease": id, "data-state": state });

const who: Column<Lease> = { title: "Agent", kind: "name", cell: ({ holder }) => holder };
const what: Column<Lease> = {
  title: "Paths",
  kind: "wide mono",
  cell: (lease) => (
    <>
      {pathsOf(lease)} {lease.mode === "shared" && <span class="tag">shared</span>}
    </>
  ),
};
const why: Column<Lease> = { title: "Why", kind: "soft wide", cell: ({ note }) => note };

const waitingColumns: Column<Lease>[] = [
  who,
  what,
  {
    title: "Waits for",
    kind: "wide told",
    cell: ({ id }) => (blockers.value.get(id) ?? []).map(({ holder }) => holder).join(", ") || "its turn",
  },
  why,
  { title: "Gives up", kind: "soft tight told", cell: ({ expires_at }) => <Age at={expires_at} /> },
  {
    title: "By hand",
    kind: "end tight",
    cell: (lease) => <Release lease={lease} verb="Send away" />,
  },
];

const heldColumns: Column<Lease>[] = [
  who,
  what,
  {
    title: "Waited for by",
    kind: "wide told",
    cell: ({ id }) => {
      const names = (leases.value.value ?? [])
        .filter((lease) => blockers.value.get(lease.id)?.some((one) => one.id === id))
        .map(({ holder }) => holder);
      return names.length > 0 && <strong class="bad">{names.join(", ")}</strong>;
    },
  },
  why,
  { title: "Ends", kind: "soft tight told", cell: ({ expires_at }) => <Age at={expires_at} /> },
  { title: "By hand", kind: "end tight", cell: (lease) => <Release lease={lease} verb="Release" /> },
];

function Release({ lease, verb }: { lease: Lease; verb: string }) {
  const ask = () =>
    confirm({
      title: `${verb}: ${pathsOf(lease)}`,
      text:
        lease.state === "held"
          ? `${lease.holder} will not be told, and may go on writing files that others then write too. What it writes under this lease’s fence is refused.`
          : `${lease.holder} is told that its wait has ended, and can ask again.`,
      verb,
      danger: lease.state === "held",
      act: async () => {
        await client.call("leases.release", { params: { id: lease.id } });
        leases.refresh();
      },
    });
  return (
    <button
      type="button"
      class="quiet"
      aria-label={`${verb} ${pathsOf(lease)} of ${lease.holder}`}
      onClick={ask}
    >
      {verb}
    </button>
  );
}
