import { type StateKey, maxKeys, metrics, stateKeys } from "./live.ts";
import { Age, Empty, Loading, Panel, cli } from "./panel.tsx";
import { showNumber } from "./show.ts";

/** What the agents share. */
export function State() {
  const keys = stateKeys.value;
  const all = Math.max(metrics.value?.state_keys ?? 0, keys?.length ?? 0);
  return (
    <Panel id="state" title="State" scrolls count={keys && showNumber(all)}>
      {!keys && <Loading />}
      {keys?.length === 0 && (
        <Empty command={cli(`state set plan --data '{"goal":"ship it"}'`)}>
          Nothing is shared yet. Write a key:
        </Empty>
      )}
      {keys && keys.length > 0 && <Table keys={keys} />}
      {keys && all > keys.length && keys.length === maxKeys && (
        <p class="more">The first {maxKeys} of them; all: koor-cli state list</p>
      )}
    </Panel>
  );
}

function Table({ keys }: { keys: readonly StateKey[] }) {
  return (
    <table class="rows" role="table">
      <thead role="rowgroup">
        <tr role="row">
          <th role="columnheader" scope="col" class="key">
            Key
          </th>
          <th role="columnheader" scope="col" class="number version">
            Version
          </th>
          <th role="columnheader" scope="col" class="type">
            Content type
          </th>
          <th role="columnheader" scope="col" class="age">
            Written
          </th>
        </tr>
      </thead>
      <tbody role="rowgroup">
        {keys.map(({ key, version, content_type: type, updated_at: at }) => (
          <tr role="row" key={key} data-key={key}>
            <th role="rowheader" scope="row" class="key">
              {key}
            </th>
            <td role="cell" class="number version">
              {version}
            </td>
            <td role="cell" class="type">
              {type}
            </td>
            <td role="cell" class="age">
              <Age at={at} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
