import { useState } from "preact/hooks";
import { changes } from "../live/changes.ts";
import { now } from "../live/clock.ts";
import { type LeaseInLine, leases, pathsSeen } from "../live/leases.ts";
import { instances } from "../live/lists.ts";
import { refusals } from "../live/refusals.ts";
import { seenAt, silentAfter } from "../live/silence.ts";
import { attemptsOf, pathsOf } from "../live/waits.ts";
import { leaseHref } from "../now/card.tsx";
import { confirm } from "../parts/dialog.tsx";
import { isMarked, markedBy } from "../parts/marked.ts";
import { Age, Empty, Fault, Loading, Panel, ViewFrame, cli } from "../parts/panel.tsx";
import { SearchField } from "../parts/search-field.tsx";
import { count, showAge, showNumber, showWhen } from "../parts/show.ts";
import { type Column, Table } from "../parts/table.tsx";
import { place } from "../router.ts";
import { type Lease, client, isAnother } from "../server.ts";

/** Leases that are drawn of each kind: the server has a thousand at most, and search finds each. */
const maxRows = 100;

/** Who holds what, until when, and who waits for it. */
export function Leases() {
  const all = leases.use();
  instances.use();
  refusals.use();
  const [words, setWords] = useState("");
  const found = all?.filter((lease) => textOf(lease).includes(words.toLowerCase())) ?? [];
  const held = found.filter(({ state }) => state === "held").sort(inOrder);
  const waiting = found.filter(({ state }) => state === "waiting");
  const wanted = place.value.query.get("lease");
  return (
    <ViewFrame
      title="Leases"
      summary={all && all.length > 0 && <Summary held={held.length} waiting={waiting.length} />}
      tools={all && all.length > 0 && <SearchField of="leases" value={words} onInput={setWords} />}
    >
      <Fault text={leases.fault.value} />
      {!all && <Loading />}
      {all && wanted !== null && !all.some(({ id }) => id === wanted) && (
        <p role="status">The lease that you came for has ended: it was released, or its time was over.</p>
      )}
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
        <Panel id="waiting" title="Blocked" count="each of these agents waits until what is in its way ends">
          <Rows label="Who is blocked" columns={waitingColumns} leases={waiting} />
        </Panel>
      )}
      {held.length > 0 && (
        <Panel id="held" title="Held" count="nobody else gets these paths before the lease ends">
          <Rows label="Who holds what" columns={heldColumns} leases={held} />
        </Panel>
      )}
    </ViewFrame>
  );
}

function Summary({ held, waiting }: { held: number; waiting: number }) {
  return (
    <>
      {showNumber(held)} held{waiting > 0 && ", "}
      {waiting > 0 && <strong class="bad">{count(waiting, "agent")} blocked</strong>}
    </>
  );
}

interface RowsProps {
  label: string;
  columns: readonly Column<LeaseInLine>[];
  leases: readonly LeaseInLine[];
}

function Rows({ label, columns, leases: rows }: RowsProps) {
  return (
    <>
      <Table label={label} columns={columns} rows={rows.filter(isDrawn)} keyOf={idOf} marks={marksOf} />
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

/** Those that are in somebody's way first, then by name. */
function inOrder(a: Lease, b: Lease): number {
  return behind(b.id).length - behind(a.id).length || a.holder.localeCompare(b.holder);
}

/** Also what somebody followed a link to. */
const isDrawn = ({ id }: Lease, index: number) => index < maxRows || isMarked("lease", id);
const idOf = ({ id }: Lease) => id;
const marksOf = ({ id, state }: Lease) => ({
  "data-lease": id,
  "data-state": state,
  ...markedBy("lease", id),
});

const who: Column<LeaseInLine> = {
  title: "Agent",
  kind: "name",
  cell: (lease) => (
    <>
      <a
        class="plain"
        href={`/?agent=${encodeURIComponent(lease.holder_id)}`}
        title={`${lease.holder}, on Now`}
      >
        {lease.holder}
      </a>{" "}
      {lease.state === "held" && <Silence of={lease} />}
    </>
  ),
};

/** When a lease's holder was last heard of, in milliseconds since 1970; undefined when it has left. */
function lastSign({ holder_id }: Lease): number | undefined {
  const holder = instances.value.value?.find(({ id }) => id === holder_id);
  return holder && seenAt(holder);
}

/** That the holder is not heard of, where that is worth a word. */
function Silence({ of }: { of: Lease }) {
  const silence = now.value - (lastSign(of) ?? Infinity);
  if (silence <= silentAfter) return null;
  return (
    <small
      class="bad"
      data-silent
      title="Its last sign of life; a lease ends by itself when nobody renews it"
    >
      silent for {showAge(silence)}
    </small>
  );
}

/** Since when somebody waits, with the attempts before that came to nothing. */
function WaitsSince({ lease }: { lease: LeaseInLine }) {
  if (lease.waiting_since === undefined) return null;
  const { since, refused } = attemptsOf(lease.holder, pathsOf(lease), Date.parse(lease.waiting_since), {
    refused: refusals.value.value?.refused ?? [],
    changes: changes.value ?? [],
    paths: pathsSeen,
  });
  return (
    <>
      <Age at={new Date(since).toISOString()} />
      {refused > 0 && (
        <small
          title={`It gave up and asked again; this attempt began ${showWhen(Date.parse(lease.waiting_since), now.value)}`}
        >
          {" "}
          refused {count(refused, "time")}
        </small>
      )}
    </>
  );
}
const what: Column<LeaseInLine> = {
  title: "Paths",
  kind: "wide mono",
  cell: (lease) => (
    <>
      {pathsOf(lease)}{" "}
      {lease.mode === "shared" && (
        <span class="tag" title="Others may have a shared lease of the same paths at the same time">
          shared
        </span>
      )}
    </>
  ),
};
const why: Column<LeaseInLine> = { title: "What for", kind: "soft wide", cell: ({ note }) => note };

/** Agents by name, each with the way to its lease. @param tells whether to say which of them wait themselves */
function Names({ of, tells = false }: { of: readonly Lease[]; tells?: boolean }) {
  return (
    <>
      {of.map((lease, index) => (
        <span key={lease.id}>
          {index > 0 && ", "}
          <a class="bad" href={leaseHref(lease)}>
            {lease.holder}
          </a>
          {tells && lease.state === "waiting" && " (waits, too)"}
        </span>
      ))}
    </>
  );
}

const waitingColumns: Column<LeaseInLine>[] = [
  who,
  what,
  {
    title: "Blocked by",
    kind: "wide told",
    cell: ({ inFront }) => (inFront.length > 0 ? <Names of={inFront} tells /> : "nobody any more"),
  },
  why,
  {
    title: "Began to wait",
    kind: "soft tight told",
    cell: (lease) => <WaitsSince lease={lease} />,
  },
  { title: "Gives up", kind: "soft tight told", cell: ({ expires_at }) => <Age at={expires_at} /> },
  { title: "Step in", kind: "end tight", cell: (lease) => <StepIn lease={lease} verb="End the wait" /> },
];

/** Those who wait behind a lease. */
function behind(id: string): readonly Lease[] {
  return (leases.value.value ?? []).filter(({ inFront }) => inFront.some((lease) => lease.id === id));
}

const heldColumns: Column<LeaseInLine>[] = [
  who,
  what,
  {
    title: "Blocks",
    kind: "wide told",
    cell: ({ id }) => behind(id).length > 0 && <Names of={behind(id)} />,
  },
  why,
  { title: "Ends", kind: "soft tight told", cell: ({ expires_at }) => <Age at={expires_at} /> },
  { title: "Step in", kind: "end tight", cell: (lease) => <StepIn lease={lease} verb="Release" /> },
];

/** What a person's stepping in comes to, for both sides. */
function consequences(lease: LeaseInLine): string {
  const { id, state, holder } = lease;
  if (state === "waiting")
    return `${holder} is told at once that it did not get the lease. It keeps what it has, and can ask again.`;
  const [next] = behind(id);
  const seen = lastSign(lease);
  const sign = seen === undefined ? "" : ` It was last heard of ${showWhen(seen, now.value)}.`;
  return `The lease ends now${next ? `, and ${next.holder} is next` : ""}. ${holder} is not interrupted, and is not told: it may go on changing these files, while somebody else does, too. It finds out when it renews the lease, or writes to Koor under it: both are refused from now on. Do this when ${holder} will not come back.${sign}`;
}

function StepIn({ lease, verb }: { lease: LeaseInLine; verb: string }) {
  const ask = () =>
    confirm({
      title:
        lease.state === "held"
          ? `Release ${pathsOf(lease)}, held by ${lease.holder}`
          : `End the wait of ${lease.holder} for ${pathsOf(lease)}`,
      text: consequences(lease),
      verb,
      danger: lease.state === "held",
      act: async () => {
        // Who waited may hold it by now, under the same id.
        const current = (await client.call("leases.list")).find(({ id }) => id === lease.id);
        if (current && current.state !== lease.state) throw isAnother();
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
