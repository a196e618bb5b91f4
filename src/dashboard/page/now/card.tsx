import { now } from "../live/clock.ts";
import { Icon } from "../parts/icon.tsx";
import { Age } from "../parts/panel.tsx";
import { count, showAge, showClock, showNumber, showShort, showUsd, showWhen } from "../parts/show.ts";
import type { LeaseInLine } from "../live/leases.ts";
import { type Attempts, pathsOf } from "../live/waits.ts";
import { markedBy } from "../parts/marked.ts";
import { hrefOf } from "../href.ts";
import type { Lease, UsageTotals } from "../server.ts";
import { type Agent, type Trouble, isSilent } from "./agents.ts";

const tints = { active: "good", pending: "wait", silent: "warn", stale: "warn" } as const;
const meanings = {
  active: "At work: it was heard of in the last two minutes",
  silent: "Not heard of for two minutes; after five it is stale",
  pending: "Registered, and has not begun yet",
  stale: "Not heard of for five minutes",
} as const;

/** Leases named on a card. */
const maxLeases = 4;

/** One agent: who it is, what is in its way, what it has, what it did last. */
export function Card({ agent, used }: { agent: Agent; used: UsageTotals | undefined }) {
  const { instance, troubles, held, deeds, seenAt } = agent;
  const { id, name, workspace, stack, intent, status } = instance;
  const shown = status === "active" && isSilent(agent) ? "silent" : status;
  const about = [workspace, stack].filter((part) => part !== "");
  return (
    <li
      class="card"
      data-instance={id}
      data-status={status}
      data-trouble={troubles[0]?.kind}
      aria-label={name}
      {...markedBy("agent", id)}
    >
      <header>
        <h2 title={id}>{name}</h2>
        <time
          dateTime={new Date(seenAt).toISOString()}
          title={`Last sign of life: ${new Date(seenAt).toLocaleString()}`}
        >
          {showWhen(seenAt, now.value)}
        </time>
      </header>
      <p class="about" data-tint={tints[shown]} title={meanings[shown]}>
        {[shown, ...about].join(" · ")}
      </p>
      {troubles.map((trouble, index) => (
        <p key={index} class="trouble">
          <Icon name="warning" />
          <span>
            <Why trouble={trouble} />
          </span>
        </p>
      ))}
      {intent !== "" && (
        <p class="intent" title={intent}>
          {intent}
        </p>
      )}
      {held.length > 0 && <Held leases={held} />}
      {used && <Used {...used} />}
      {deeds.length > 0 && (
        <ul class="deeds">
          {deeds.map(({ at, kind, text, href }) => (
            <li key={`${at} ${text}`} data-mark={kind}>
              <a
                {...(href && { href })}
                title={
                  kind === "event"
                    ? `Published ${text}`
                    : `Wrote ${text}: its versions are there, and the way back`
                }
              >
                {text}
              </a>
              <time dateTime={new Date(at).toISOString()} title={new Date(at).toLocaleString()}>
                {showAge(now.value - at)}
              </time>
            </li>
          ))}
        </ul>
      )}
    </li>
  );
}

/** What its calls of models took since midnight. */
function Used({
  total_tokens_in: into,
  total_tokens_out: out,
  total_cost_usd: cost,
  request_count: calls,
}: UsageTotals) {
  const exact = `${showNumber(into)} tokens in, ${showNumber(out)} out, ${showUsd(cost)}, in ${count(calls, "call")} of models since midnight`;
  return (
    <p class="used" title={exact}>
      <Icon name="tokens" /> {showShort(into + out)} tokens, {showUsd(cost)} today
    </p>
  );
}

function Held({ leases }: { leases: readonly LeaseInLine[] }) {
  return (
    <ul class="held" aria-label="Leases held">
      {leases.slice(0, maxLeases).map((lease) => (
        <li key={lease.id}>
          <Icon name="leases" />
          <a href={leaseHref(lease)} title={`Holds ${pathsOf(lease)}: ${lease.note || "it did not say why"}`}>
            <code>{pathsOf(lease)}</code>
          </a>
          <small>
            <Left until={lease.expires_at} />
          </small>
        </li>
      ))}
      {leases.length > maxLeases && (
        <li>
          <a href="/leases">and {leases.length - maxLeases} more</a>
        </li>
      )}
    </ul>
  );
}

function Left({ until }: { until: string }) {
  const left = Date.parse(until) - now.value;
  return (
    <time dateTime={until} title={`Ends by itself at ${new Date(until).toLocaleString()}`}>
      {left < 1000 ? "ends now" : `${showAge(left)} left`}
    </time>
  );
}

export const leaseHref = ({ id }: Lease) => `/leases?lease=${encodeURIComponent(id)}`;

function Why({ trouble }: { trouble: Trouble }) {
  if (trouble.kind === "silent") {
    return (
      <>
        Silent for {showAge(now.value - trouble.since)}
        {trouble.holds > 0 && `, and holds ${count(trouble.holds, "lease")}`}
      </>
    );
  }
  if (trouble.kind === "failing") {
    const { project, contract, count: found, message } = trouble;
    return (
      <>
        Breaks{" "}
        <a href={hrefOf("/specs/{project}/{name}", { project, name: contract }) ?? "/specs"}>
          {project}/{contract}
        </a>
        : {message}
        {found > 1 && ` and ${found - 1} more`}
      </>
    );
  }
  if (trouble.kind === "refused") {
    const { what, at, holder, attempts } = trouble;
    return (
      <>
        Was refused <code>{what}</code>
        {holder && (
          <>
            , held by <Holders leases={[holder]} />
          </>
        )}
        <small>
          {" "}
          {showWhen(at, now.value)}
          {attempts.refused > 1 && `; ${attemptsText(attempts)}`}
        </small>
      </>
    );
  }
  const { lease, attempts } = trouble;
  const holders = lease.inFront.filter(({ state }) => state === "held");
  const before = lease.inFront.filter(({ state }) => state === "waiting");
  return (
    <>
      Waits for{" "}
      <a href={leaseHref(lease)}>
        <code>{pathsOf(lease)}</code>
      </a>
      {holders.length > 0 && (
        <>
          , held by <Holders leases={holders} />
        </>
      )}
      {before.length > 0 && (
        <>
          , in line behind <Holders leases={before} />
        </>
      )}
      <small>
        {"; has waited "}
        {showAge(now.value - attempts.since)}
        {attempts.refused > 0 && ` (${attemptsText(attempts)})`}
        {", gives up "}
        <Age at={lease.expires_at} />
      </small>
    </>
  );
}

function attemptsText({ refused, since }: Attempts): string {
  return `refused ${count(refused, "time")} since ${showClock(new Date(since), new Date(now.value))}`;
}

/** Who is in front, by name, each with the way to its lease, and why it has it. */
function Holders({ leases }: { leases: readonly Lease[] }) {
  const names = [...new Map(leases.map((lease) => [lease.holder, lease])).values()];
  return (
    <>
      {names.map((lease, index) => (
        <span key={lease.id}>
          {index > 0 && " and "}
          <a href={leaseHref(lease)} title={lease.note}>
            {lease.holder}
          </a>
        </span>
      ))}
    </>
  );
}
