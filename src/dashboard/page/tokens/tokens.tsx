import { metrics, instances } from "../live/lists.ts";
import { session } from "../live/connection.ts";
import { Budgets } from "./budgets.tsx";
import { Costs } from "./costs.tsx";
import { Command, Fault, Loading, Panel, ViewFrame } from "../parts/panel.tsx";
import { apiAddress, showDuration, showNumber, showShort } from "../parts/show.ts";
import type { Metrics } from "../server.ts";

/** What models cost, and what went through their contexts, where each token costs, and what did not have to. */
export function Tokens() {
  const read = metrics.use();
  instances.use();
  return (
    <ViewFrame title="Tokens and costs">
      <Costs />
      <Budgets />
      <Fault text={metrics.fault.value} />
      {!read && <Loading />}
      {read && (
        <Panel
          id="ledger"
          title="Token ledger"
          count={
            read.token_tax.total_calls > 0 ? `since the server started, ${sayAgo(read.uptime)}` : undefined
          }
        >
          {read.token_tax.total_calls === 0 ? <NoCalls api={read.api_bind} /> : <Books {...read} />}
        </Panel>
      )}
    </ViewFrame>
  );
}

function sayAgo(uptime: string): string {
  const age = showDuration(uptime);
  return age === "now" ? "just now" : `${age} ago`;
}

/** In percent of all tokens. */
function keptOut({ token_ledger: { mcp_tokens: mcp, rest_tokens: rest } }: Metrics): number {
  return mcp + rest === 0 ? 0 : (rest / (mcp + rest)) * 100;
}

function NoCalls({ api }: { api: string }) {
  const address = `http://${apiAddress(api, location.hostname)}/mcp`;
  const token = session.value === "open" ? ' --header "Authorization: Bearer $KOOR_TOKEN"' : "";
  return (
    <div class="empty">
      <p>No calls since the server started. Connect an agent:</p>
      <Command text={`claude mcp add --transport http koor ${address}${token}`} />
    </div>
  );
}

function Books(read: Metrics) {
  const { token_tax: tax, token_ledger: ledger } = read;
  const share = keptOut(read);
  return (
    <div class="ledger">
      <p class="ledger-share">
        {tax.mcp_calls === 0 ? (
          "No data has passed through a model’s context over MCP yet."
        ) : (
          <>
            <strong>{share.toFixed(share > 99 ? 2 : 0)} %</strong> of all tokens were kept out of models’
            contexts
          </>
        )}
      </p>
      <div class="bar" aria-hidden="true">
        <div style={{ width: `${100 - share}%` }} />
      </div>
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
    </div>
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
  const how = `${showNumber(tokens)} tokens, estimated from the ${showNumber(bytes)} bytes transferred: ${method}`;
  return (
    <div data-ledger={kind} title={how}>
      <dt>
        {name} <small>{by}</small>
      </dt>
      <dd>
        <b>{showShort(tokens)}</b> tokens{" "}
        <small>in {calls === 1 ? "1 call" : `${showNumber(calls)} calls`}</small>
        <span class="hidden">{how}</span>
      </dd>
    </div>
  );
}
