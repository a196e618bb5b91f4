import { useEffect, useRef, useState } from "preact/hooks";
import { onChanges } from "../live/changes.ts";
import { noticeLogout } from "../live/connection.ts";
import { Icon } from "../parts/icon.tsx";
import { Age, Fault, Loading, ViewFrame, cli } from "../parts/panel.tsx";
import { Range } from "../parts/range.tsx";
import { count, showNumber } from "../parts/show.ts";
import { useNarrow } from "../parts/use-narrow.ts";
import { Who } from "../parts/who.tsx";
import { VirtualList } from "../parts/virtual-list.tsx";
import { place, setQuery } from "../router.ts";
import { type AuditEntry, faultText } from "../server.ts";
import { csvOf } from "./csv.ts";
import { type AuditFilter, filterOf, maxRows, readAll, readOlder, readPage } from "./rows.ts";

/** Height of a row, in CSS pixels: two lines where it is narrow. */
const rowHeight = 32;
const narrowRowHeight = 46;
/** How long changes gather before their rows are asked for, in milliseconds. */
const gatherMs = 500;

const tints = { ok: "good", denied: "bad", conflict: "warn" } as const;

/** Who did what, and what was refused. */
export function Audit() {
  const filter = filterOf(place.value.query);
  const { rows, fault, older } = useRows(filter);
  const narrow = useNarrow();
  const range = filter.from === "" && filter.to === "" ? undefined : { from: filter.from, to: filter.to };
  return (
    <ViewFrame
      title="Audit"
      summary={rows && (rows.length === 0 ? undefined : `the newest ${showNumber(rows.length)}`)}
      tools={
        <>
          <Field name="actor" label="Actor" value={filter.actor} search />
          <Field name="action" label="Action" value={filter.action} />
          <Field name="resource" label="Resource" value={filter.resource} />
          <Range range={range} />
          {rows && rows.length > 0 && <Export filter={filter} />}
        </>
      }
    >
      <Fault text={fault} />
      {!rows && fault === "" && <Loading />}
      {rows?.length === 0 && (
        <p class="panel empty">
          {Object.values(filter).every((value) => value === "")
            ? "Nothing was done yet."
            : "No entry has exactly this actor, action, resource or time: each is compared as a whole."}{" "}
          All of it: {cli("audit")}
        </p>
      )}
      {rows && rows.length > 0 && (
        <div class="split">
          <section class="panel master" aria-label="Audit" data-narrow={narrow ? "" : undefined}>
            <VirtualList
              label="What was done, newest first"
              items={rows}
              rowHeight={narrow ? narrowRowHeight : rowHeight}
              keyOf={({ id }) => String(id)}
              marks={({ id, outcome }) => ({ "data-audit": id, "data-outcome": outcome })}
              onChoose={({ resource }) => setQuery({ resource })}
              onEnd={older}
              row={(row) => <Line row={row} />}
            />
          </section>
        </div>
      )}
    </ViewFrame>
  );
}

/** The rows of a filter, with those that come while somebody looks. */
function useRows(filter: AuditFilter) {
  const [rows, setRows] = useState<readonly AuditEntry[] | undefined>(undefined);
  const [fault, setFault] = useState("");
  const shown = useRef<readonly AuditEntry[]>([]);
  const asking = useRef(false);
  const isAll = useRef(false);
  /** The end came into view while something else was asked: it does so once. */
  const olderWanted = useRef(false);
  const key = JSON.stringify(filter);
  const aborter = useRef(new AbortController());

  const show = (next: readonly AuditEntry[]) => {
    shown.current = next.slice(0, maxRows);
    setRows(shown.current);
  };
  /** One question at a time, of the filter that is shown. */
  const ask = async (work: (signal: AbortSignal) => Promise<readonly AuditEntry[]>) => {
    const { signal } = aborter.current;
    if (asking.current) return;
    asking.current = true;
    try {
      const next = await work(signal);
      if (!signal.aborted) show(next);
    } catch (error) {
      if (!signal.aborted && !noticeLogout(error)) setFault(faultText(error));
    } finally {
      if (!signal.aborted) {
        asking.current = false;
        if (olderWanted.current) older();
      }
    }
  };

  useEffect(() => {
    aborter.current = new AbortController();
    asking.current = false;
    isAll.current = false;
    olderWanted.current = false;
    setFault("");
    setRows(undefined);
    void ask((signal) => readPage(filter, signal));
    if (filter.to !== "") return () => aborter.current.abort();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const newer = async (signal: AbortSignal) => {
      const [newest] = shown.current;
      if (!newest) return readPage(filter, signal);
      const page = await readPage(filter, signal, { from: newest.timestamp });
      const at = page.findIndex(({ id, timestamp }) => id === newest.id && timestamp === newest.timestamp);
      if (at !== -1) return [...page.slice(0, at), ...shown.current];
      // More came than an answer has, or a backup was restored: begun anew, the list has no hole.
      isAll.current = false;
      return readPage(filter, signal);
    };
    const look = () => {
      timer ??= setTimeout(() => {
        timer = undefined;
        if (asking.current) look();
        else void ask(newer);
      }, gatherMs);
    };
    const stop = onChanges(look);
    return () => {
      stop();
      clearTimeout(timer);
      aborter.current.abort();
    };
  }, [key]);

  const older = () => {
    olderWanted.current = asking.current;
    if (isAll.current || asking.current) return;
    void ask(async (signal) => {
      const page = await readOlder(filter, shown.current, signal);
      isAll.current = page.length === 0;
      return [...shown.current, ...page];
    });
  };
  return { rows, fault, older };
}

function Line({ row }: { row: AuditEntry }) {
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
      <code class="resource" title={resource}>
        {resource}
      </code>
      <code class="about-it" title={detail}>
        {detail === "{}" ? "" : detail}
      </code>
      <Age at={timestamp} />
    </div>
  );
}

interface FieldProps {
  name: "actor" | "action" | "resource";
  label: string;
  value: string;
  search?: boolean;
}

function Field({ name, label, value, search = false }: FieldProps) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  const apply = () => setQuery({ [name]: text });
  return (
    <form
      class="audit-field"
      onSubmit={(event) => {
        event.preventDefault();
        apply();
      }}
    >
      <input
        type="search"
        {...(search && { "data-search": "" })}
        aria-label={`${label}, the whole name`}
        placeholder={search ? `${label}  /` : label}
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
        onBlur={apply}
      />
    </form>
  );
}

/** Everything that the filter finds, as a file. */
function Export({ filter }: { filter: AuditFilter }) {
  const [said, setSaid] = useState("");
  const save = async () => {
    setSaid("Reading…");
    try {
      const rows = await readAll(filter, new AbortController().signal);
      saveFile("koor-audit.csv", csvOf(rows));
      setSaid(rows.length >= maxRows ? `The newest ${count(maxRows, "row")}` : "");
    } catch (error) {
      setSaid(faultText(error));
    }
  };
  return (
    <>
      <button type="button" class="quiet" onClick={() => void save()}>
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
