import type { ComponentChildren } from "preact";
import { useMemo, useState } from "preact/hooks";
import { leases } from "../live/leases.ts";
import { instances } from "../live/lists.ts";
import { usePast } from "../live/past.ts";
import { maxRows } from "../live/recent-events.ts";
import { Choice } from "../parts/choice.tsx";
import { FilterField } from "../parts/filter-field.tsx";
import { quoted } from "../parts/globs.ts";
import { Icon } from "../parts/icon.tsx";
import { Age, Clock, Empty, Fault, Loading, ViewFrame, cli } from "../parts/panel.tsx";
import { pathTo } from "../parts/path-to.ts";
import { Range, rangeOf } from "../parts/range.tsx";
import { count } from "../parts/show.ts";
import { useNarrow } from "../parts/use-narrow.ts";
import { Who, unidentified, whoOf } from "../parts/who.tsx";
import { VirtualList } from "../parts/virtual-list.tsx";
import { go, place, setQuery } from "../router.ts";
import { type AuditEntry, faultText } from "../server.ts";
import { csvOf } from "./csv.ts";
import { nameOf, namesOf, sayDetail } from "./names.ts";
import { type AuditFilter, type Outcome, filterOf, idsOf, readAll, readBefore, readSince } from "./rows.ts";

/** Height of a row, in CSS pixels: two lines where it is narrow. */
const rowHeight = 32;
const narrowRowHeight = 54;
const tints = { ok: "good", denied: "bad", conflict: "warn" } as const;

const outcomes: Readonly<Record<Outcome, string>> = { "": "Everything", refused: "Refused" };

/** Of each filter: how it is understood. */
const how = 'Part of a name; or a pattern: * any run of characters, ? one; or the whole name in "quotes"';

/** Who did what, and what was refused. */
export function Audit() {
  const filter = filterOf(place.value.query);
  const [instanceList, leaseList] = [instances.use(), leases.use()];
  const ids = useMemo(
    () => idsOf(filter.resource, namesOf([], instanceList, leaseList)),
    [filter.resource, instanceList, leaseList],
  );
  const { rows, isAll, fault, older } = usePast<AuditEntry>({
    question: JSON.stringify([filter, ids]),
    before: (row, signal) => readBefore(filter, ids, row, signal),
    since: filter.to === "" ? (row, signal) => readSince(filter, ids, row, signal) : undefined,
  });
  const names = useMemo(() => namesOf(rows ?? [], instanceList, leaseList), [rows, instanceList, leaseList]);
  const actions = useMemo(() => rows?.map(({ action }) => action).sort(), [rows]);
  const narrow = useNarrow();
  const range = rangeOf(place.value.query);
  const isFiltered = Object.values(filter).some((value) => value !== "");
  return (
    <ViewFrame
      title="Audit"
      summary={
        rows && rows.length > 0 ? (
          <>
            {isAll ? "" : "newest "}
            {count(rows.length, "entry", "entries")}
            <Export filter={filter} ids={ids} />
          </>
        ) : undefined
      }
      tools={<Filters filter={filter} actions={actions ?? []} />}
    >
      <Fault text={fault} />
      {!rows && fault === "" && <Loading />}
      {rows?.length === 0 && (
        <div class="panel">
          <Empty command={cli("audit --limit 20")}>
            {isFiltered
              ? "No entry matches these filters. Upper and lower case count. The newest of all:"
              : "Nothing has been done yet. The same in a terminal:"}
          </Empty>
        </div>
      )}
      {rows && rows.length > 0 && (
        <div class="split">
          <section
            class="panel master"
            aria-label="Audit"
            data-narrow={narrow ? "" : undefined}
            data-clock={range ? "" : undefined}
          >
            <VirtualList
              label="Entries, newest first"
              items={rows}
              rowHeight={narrow ? narrowRowHeight : rowHeight}
              keyOf={({ id }) => String(id)}
              marks={({ id, outcome }) => ({ "data-audit": id, "data-outcome": outcome })}
              role="grid"
              onChoose={({ action, resource }) => {
                const href = pathTo(action, resource);
                if (href !== undefined) go(href);
              }}
              onEnd={older}
              row={(row, isAt) => (
                <Line row={row} name={nameOf(row, names)} clock={range !== undefined} isAt={isAt} />
              )}
            />
          </section>
        </div>
      )}
    </ViewFrame>
  );
}

/** What the list is of: all of it is in the address. */
function Filters({ filter, actions }: { filter: AuditFilter; actions: readonly string[] }) {
  return (
    <>
      <Choice
        name="outcome"
        label="What came of it"
        titles={outcomes}
        value={filter.outcome}
        onChoose={setQuery}
      />
      <FilterField
        name="actor"
        label="Filter by actor"
        placeholder="Actor"
        title={how}
        value={filter.actor}
        suggestions={[...(instances.value.value ?? []).map(({ name }) => name), "dashboard", unidentified]}
        search
      />
      <FilterField
        name="action"
        label="Filter by action"
        placeholder="Action"
        title={how}
        value={filter.action}
        suggestions={actions}
      />
      <FilterField
        name="resource"
        label="Filter by resource"
        placeholder="Resource"
        title={how}
        value={filter.resource}
      />
      <Range range={rangeOf(place.value.query)} />
    </>
  );
}

interface LineProps {
  row: AuditEntry;
  /** What the resource is called: it may have only an id. */
  name: string;
  clock: boolean;
  /** Whether the arrows stand at it: Tab leads into this row, and past the others. */
  isAt: boolean;
}

/** What it names is pressed to see only that; beside the resource is the way to the thing itself. */
function Line({ row, name, clock, isAt }: LineProps) {
  const { id, timestamp, actor, action, resource, detail, outcome } = row;
  const tabIndex = isAt ? 0 : -1;
  const href = pathTo(action, resource);
  const only = (field: string, value: string, shown: ComponentChildren) =>
    value !== "" && (
      <button
        type="button"
        class="only"
        tabIndex={tabIndex}
        onClick={() => setQuery({ [field]: quoted(value) })}
      >
        {shown}
      </button>
    );
  return (
    <div class="audit-line" role="presentation">
      <span class="id number" role="gridcell">
        {id}
      </span>
      <strong class="actor" role="gridcell">
        {only("actor", whoOf(actor), <Who name={actor} />)}
      </strong>
      <span class="action" role="gridcell">
        {only("action", action, action)}
        {outcome !== "ok" && (
          <span class="tag" data-tint={tints[outcome]}>
            {outcome}
          </span>
        )}
      </span>
      <code class="resource" role="gridcell" title={name === resource ? resource : `${name}\n${resource}`}>
        {only("resource", resource, name)}
        {href !== undefined && (
          <a class="to-it" href={href} tabIndex={tabIndex} aria-label={`Open ${name}`} title={`Open ${name}`}>
            <Icon name="go" />
          </a>
        )}
      </code>
      <span class="about-it" role="gridcell" title={detail}>
        {sayDetail(row)}
      </span>
      <span class="when" role="gridcell">
        {clock ? <Clock at={timestamp} /> : <Age at={timestamp} />}
      </span>
    </div>
  );
}

/** Everything that the filter finds, as a file. */
function Export({ filter, ids }: { filter: AuditFilter; ids: readonly string[] }) {
  const [said, setSaid] = useState("");
  const save = async () => {
    setSaid("Reading…");
    try {
      const rows = await readAll(filter, ids, new AbortController().signal);
      saveFile("koor-audit.csv", csvOf(rows));
      setSaid(rows.length >= maxRows ? `Newest ${count(maxRows, "entry", "entries")} saved` : "");
    } catch (error) {
      setSaid(faultText(error));
    }
  };
  return (
    <>
      <button
        type="button"
        class="quiet"
        title="Download what these filters find as a CSV file"
        onClick={() => void save()}
      >
        <Icon name="save" /> CSV
      </button>
      {said !== "" && (
        <span role="status" class="soft">
          {said}
        </span>
      )}
    </>
  );
}

function saveFile(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}
