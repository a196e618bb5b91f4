import { useState } from "preact/hooks";
import { type LeaseInLine, leases } from "../live/leases.ts";
import { pathsOf } from "../live/waits.ts";
import { leaseHref } from "../now/card.tsx";
import { confirm } from "../parts/dialog.tsx";
import { isMarked, markedBy } from "../parts/marked.ts";
import { Age, Empty, Fault, Loading, Panel, ViewFrame, cli } from "../parts/panel.tsx";
import { SearchField } from "../parts/search-field.tsx";
import { count, showNumber } from "../parts/show.ts";
import { type Column, Table } from "../parts/table.tsx";
import { place } from "../router.ts";
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
  cell: ({ holder, holder_id }) => (
    <a class="plain" href={`/?agent=${encodeURIComponent(holder_id)}`} title={`${holder}, on Now`}>
      {holder}
    </a>
  ),
};
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
    title: "Waits since",
    kind: "soft tight told",
    cell: ({ waiting_since }) => waiting_since !== undefined && <Age at={waiting_since} />,
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
function consequences({ id, state, holder }: LeaseInLine): string {
  if (state === "waiting")
    return `${holder} is told at once that it did not get the lease. It keeps what it has, and can ask again.`;
  const [next] = behind(id);
  return `The lease ends now${next ? `, and ${next.holder} is next` : ""}. ${holder} is not interrupted, and is not told: it may go on changing these files, while somebody else does, too. It finds out when it renews the lease, or writes to Koor under it: both are refused from now on. Do this when ${holder} will not come back.`;
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
