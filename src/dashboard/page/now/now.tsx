import { changes } from "../live/changes.ts";
import { now } from "../live/clock.ts";
import { allEvents } from "../live/event-log.ts";
import { leases, pathsSeen } from "../live/leases.ts";
import { compliance, instances } from "../live/lists.ts";
import { refusals } from "../live/refusals.ts";
import { seenAt, silentAfter } from "../live/silence.ts";
import { budgets, useToday, warnsAt } from "../live/spent.ts";
import { Empty, Loading, ViewFrame, cli } from "../parts/panel.tsx";
import { count, showNumber, showUsd } from "../parts/show.ts";
import type { UsageTotals } from "../server.ts";
import { type Agent, type Trouble, agentsOf, isGone, isSilent } from "./agents.ts";
import { Card } from "./card.tsx";
import { Timeline } from "./timeline-view.tsx";

/** Cards that are drawn; those in trouble are among the first. */
const maxCards = 200;

/** Who is there, what they do, and who is stuck on what. */
export function Now() {
  const list = instances.use();
  const held = leases.use() ?? [];
  const checks = compliance.use() ?? [];
  const refused = refusals.use()?.refused ?? [];
  const today = useToday();
  if (!list) return <ViewFrame title="Now">{<Loading />}</ViewFrame>;
  if (list.length === 0) {
    return (
      <ViewFrame title="Now">
        <div class="panel">
          <Empty command={cli("register NAME")}>Nobody is here yet. Register an agent:</Empty>
          <p class="more">
            Or <a href="/connect">connect one over MCP</a>: the lines for each client are there.
          </p>
        </div>
      </ViewFrame>
    );
  }
  const agents = agentsOf({
    instances: list,
    leases: held,
    compliance: checks,
    events: allEvents.rows.value ?? [],
    changes: changes.value ?? [],
    refused,
    paths: pathsSeen,
    seenAt,
    now: now.value,
    silentAfter,
  });
  const here = agents.filter((agent) => !isGone(agent, now.value));
  const active = agents.filter((agent) => agent.instance.status === "active" && !isSilent(agent));
  // In an order that does not change with who is in trouble.
  const names = [...new Set(here.map(({ instance }) => instance.name))].sort((a, b) => a.localeCompare(b));
  return (
    <ViewFrame
      title="Now"
      summary={
        <Summary
          active={active.length}
          agents={here}
          held={held.filter(({ state }) => state === "held").length}
          today={today?.total}
        />
      }
    >
      <ul class="cards" aria-label="Agents, those who are stuck first">
        {here.slice(0, maxCards).map((agent) => (
          <Card key={agent.instance.id} agent={agent} used={today?.groups[agent.instance.id]} />
        ))}
      </ul>
      {here.length > maxCards && (
        <p class="more">
          The first {maxCards} of {here.length}; all: koor-cli instances list
        </p>
      )}
      {agents.length > here.length && (
        <p class="more">
          {count(agents.length - here.length, "agent")} not heard of for an hour: koor-cli instances stale
        </p>
      )}
      <Timeline names={names} />
    </ViewFrame>
  );
}

interface SummaryProps {
  active: number;
  agents: readonly Agent[];
  held: number;
  /** What models cost since midnight. */
  today: UsageTotals | undefined;
}

/** What is in agents' way, in the order of the cards. */
const stuckWords: Record<Trouble["kind"], string> = {
  waiting: "blocked",
  refused: "blocked",
  failing: "with a broken contract",
  silent: "silent",
};

function Summary({ active, agents, held, today }: SummaryProps) {
  const spent = budgets.use()?.filter(({ share }) => share >= warnsAt) ?? [];
  return (
    <>
      <strong>{count(active, "agent")}</strong> at work
      {[...new Set(Object.values(stuckWords))].map((word) => {
        const stuck = agents.filter(({ troubles }) => troubles.some(({ kind }) => stuckWords[kind] === word));
        return (
          stuck.length > 0 && (
            <span key={word}>
              {", "}
              <strong data-stuck={word}>
                {showNumber(stuck.length)} {word}
              </strong>
            </span>
          )
        );
      })}
      , {count(held, "lease")} held
      {today && today.request_count > 0 && (
        <>
          , <a href="/tokens?span=day">{showUsd(today.total_cost_usd)} today</a>
        </>
      )}
      {spent.length > 0 && (
        <>
          {", "}
          <a href="/tokens" class="bad" title={spent.map(({ project }) => project).join(", ")}>
            {count(spent.length, "budget")} used up, or nearly
          </a>
        </>
      )}
    </>
  );
}
