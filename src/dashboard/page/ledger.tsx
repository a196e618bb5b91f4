import { type Metrics, metrics, session } from "./live.ts";
import { Empty, Panel } from "./panel.tsx";
import { apiAddress, showNumber, showShort } from "./show.ts";

/** What went through models' contexts, where each token costs, and what did not have to. */
export function Ledger() {
  const read = metrics.value;
  const none = read?.token_tax.total_calls === 0;
  return (
    <Panel
      id="ledger"
      title="Token ledger"
      count={read && !none ? `${keptOut(read).toFixed(0)} % kept out of models’ contexts` : undefined}
    >
      {read && (none ? <NoCalls api={read.api_bind} /> : <Books {...read} />)}
    </Panel>
  );
}

/** In percent of all tokens. */
function keptOut({ token_ledger: { mcp_tokens: mcp, rest_tokens: rest } }: Metrics): number {
  return mcp + rest === 0 ? 0 : (rest / (mcp + rest)) * 100;
}

function NoCalls({ api }: { api: string }) {
  const address = `http://${apiAddress(api, location.hostname)}/mcp`;
  const token = session.value === "open" ? ' --header "Authorization: Bearer TOKEN"' : "";
  return (
    <Empty command={`claude mcp add --transport http koor ${address}${token}`}>
      No calls since the server started. Connect an agent:
    </Empty>
  );
}

function Books(read: Metrics) {
  const { token_tax: tax, token_ledger: ledger } = read;
  return (
    <>
      <dl class="books">
        <Line
          name="Through models’ contexts"
          by="MCP"
          kind="mcp"
          tokens={ledger.mcp_tokens}
          bytes={ledger.mcp_bytes}
          calls={tax.mcp_calls}
          method={ledger.method}
        />
        <Line
          name="Kept out of them"
          by="REST, WebSocket, CLI"
          kind="rest"
          tokens={ledger.rest_tokens}
          bytes={ledger.rest_bytes}
          calls={tax.rest_calls}
          method={ledger.method}
        />
      </dl>
      <div class="bar" aria-hidden="true">
        <div style={{ width: `${100 - keptOut(read)}%` }} />
      </div>
    </>
  );
}

interface LineProps {
  name: string;
  by: string;
  kind: "mcp" | "rest";
  tokens: number;
  bytes: number;
  calls: number;
  method: string;
}

function Line({ name, by, kind, tokens, bytes, calls, method }: LineProps) {
  return (
    <div
      data-ledger={kind}
      title={`${showNumber(tokens)} tokens, worked out from the ${showNumber(bytes)} bytes that really passed: ${method}`}
    >
      <dt>
        {name} <small>{by}</small>
      </dt>
      <dd>
        <b>{showShort(tokens)}</b> tokens{" "}
        <small>in {calls === 1 ? "1 call" : `${showNumber(calls)} calls`}</small>
      </dd>
    </div>
  );
}
