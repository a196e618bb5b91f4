import { useMemo } from "preact/hooks";
import { instances } from "../live/lists.ts";
import type { Row } from "../live/recent-events.ts";
import { FilterField } from "../parts/filter-field.tsx";

/** How the filter is understood. */
const how =
  'Part of a topic; or a pattern: * any run of characters, ? one; or the whole topic in "quotes". Commas between several';

/** Rows whose topics and sources are suggested. */
const suggestedFrom = 500;

const namesIn = (rows: readonly Row[], name: "topic" | "source") =>
  rows
    .slice(0, suggestedFrom)
    .flatMap((row) => (row.kind === "event" && row[name] !== "" ? [row[name]] : []))
    .sort();

interface FiltersProps {
  topic: string;
  source: string;
  rows: readonly Row[] | undefined;
}

export function Filters({ topic, source, rows = [] }: FiltersProps) {
  const agents = instances.use();
  const topics = useMemo(() => namesIn(rows, "topic"), [rows]);
  const sources = useMemo(() => namesIn(rows, "source"), [rows]);
  return (
    <>
      <FilterField
        name="pattern"
        label="Filter by topic"
        placeholder="Topic: build, test.*.failed"
        title={how}
        value={topic}
        suggestions={topics}
        search
      />
      <FilterField
        name="source"
        label="Filter by agent"
        placeholder="Agent"
        title="The whole name of the agent that published it; `dashboard` for a person at this page"
        value={source}
        suggestions={[...(agents ?? []).map(({ name }) => name), ...sources]}
      />
    </>
  );
}

/** Whoever looks for an agent may have typed it as a topic, or look for what is no event. */
export function NoMatch({ topic, source }: { topic: string; source: string }) {
  const who = source || topic;
  return (
    <>
      No event matches. Upper and lower case count.
      {topic !== "" &&
        " The first field looks at topics only; for what an agent published there is the second."}
      {who !== "" && (
        <>
          {" "}
          What else an agent did stands in the{" "}
          <a href={`/audit?${new URLSearchParams({ actor: who }).toString()}`}>audit of {who}</a>.
        </>
      )}
    </>
  );
}
