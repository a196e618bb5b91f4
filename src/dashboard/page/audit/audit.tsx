import { useMemo, useState } from "preact/hooks";
import { leases } from "../live/leases.ts";
import { instances } from "../live/lists.ts";
import { usePast } from "../live/past.ts";
import { maxRows } from "../live/recent-events.ts";
import { FilterField } from "../parts/filter-field.tsx";
import { quoted } from "../parts/globs.ts";
import { Icon } from "../parts/icon.tsx";
import { Age, Clock, Empty, Fault, Loading, ViewFrame, cli } from "../parts/panel.tsx";
import { Range, rangeOf } from "../parts/range.tsx";
import { count } from "../parts/show.ts";
import { useNarrow } from "../parts/use-narrow.ts";
import { Who } from "../parts/who.tsx";
import { VirtualList } from "../parts/virtual-list.tsx";
import { place, setQuery } from "../router.ts";
import { type AuditEntry, faultText } from "../server.ts";
import { csvOf } from "./csv.ts";
import { nameOf, namesOf, sayDetail } from "./names.ts";
import { type AuditFilter, filterOf, idsOf, readAll, readBefore, readSince } from "./rows.ts";

/** Height of a row, in CSS pixels: two lines where it is narrow. */
const rowHeight = 32;
const narrowRowHeight = 46;
const tints = { ok: "good", denied: "bad", conflict: "warn" } as const;

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
        rows && rows.length > 0
          ? `${isAll ? "" : "newest "}${count(rows.length, "entry", "entries")}`
          : undefined
      }
      tools={
        <>
          <FilterField
            name="actor"
            label="Filter by actor"
            placeholder="Actor"
            title={how}
            value={filter.actor}
            suggestions={[...(instanceList ?? []).map(({ name }) => name), "dashboard", "local"]}
            search
          />
          <FilterField
            name="action"
            label="Filter by action"
            placeholder="Action"
            title={how}
            value={filter.action}
            suggestions={actions ?? []}
          />
          <FilterField
            name="resource"
            label="Filter by resource"
            placeholder="Resource"
            title={how}
            value={filter.resource}
          />
          <Range range={range} />
          {rows && rows.length > 0 && <Export filter={filter} ids={ids} />}
        </>
      }
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
              onChoose={({ resource }) => setQuery({ resource: quoted(resource) })}
              onEnd={older}
              row={(row) => <Line row={row} name={nameOf(row, names)} clock={range !== undefined} />}
            />
          </section>
        </div>
      )}
    </ViewFrame>
  );
}

interface LineProps {
  row: AuditEntry;
  /** What the resource is called: it may have only an id. */
  name: string;
  clock: boolean;
}

function Line({ row, name, clock }: LineProps) {
  const { id, timestamp, actor, action, resource, detail, outcome } = row;
  return (
    <div class="audit-line">
      <span class="id number">{id}</span>
      <strong class="actor">
        <Who name={actor} />
      </strong>
      <span class="action">
        {action}
        {outcome !== "ok" && (
          <span class="tag" data-tint={tints[outcome]}>
            {outcome}
          </span>
        )}
      </span>
      <code class="resource" title={name === resource ? resource : `${name}\n${resource}`}>
        {name}
      </code>
      <span class="about-it" title={detail}>
        {sayDetail(row)}
      </span>
      {clock ? <Clock at={timestamp} /> : <Age at={timestamp} />}
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
