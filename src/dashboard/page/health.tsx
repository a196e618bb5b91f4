import type { ComponentChildren } from "preact";
import { connection, health, metrics } from "./live.ts";
import { Panel } from "./panel.tsx";
import { apiAddress, showNumber } from "./show.ts";

/** Whether the server is well, and how much it holds. */
export function Health() {
  const counts = metrics.value;
  const number = (value: number | undefined) => (value === undefined ? "…" : showNumber(value));
  return (
    <Panel id="health" title="Health">
      <dl class="facts">
        <Fact name="Status">
          {connection.value === "waiting" ? "no answer" : (health.value?.status ?? "…")}
        </Fact>
        <Fact name="Version">{health.value?.version ?? "…"}</Fact>
        <Fact name="Uptime">{health.value?.uptime ?? "…"}</Fact>
        <Fact name="API">{counts ? apiAddress(counts.api_bind, location.hostname) : "…"}</Fact>
        <Fact name="Instances">{number(counts?.instances)}</Fact>
        <Fact name="State keys">{number(counts?.state_keys)}</Fact>
        <Fact name="Last event">{number(counts?.last_event_id)}</Fact>
      </dl>
    </Panel>
  );
}

function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
