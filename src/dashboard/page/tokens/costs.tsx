import { useMemo } from "preact/hooks";
import { now, serverTime } from "../live/clock.ts";
import { instances } from "../live/lists.ts";
import { isUsage, sumsEvery } from "../live/spent.ts";
import { useAnswer } from "../live/use-answer.ts";
import { BarChart, colourOf } from "../parts/bar-chart.tsx";
import { Choice } from "../parts/choice.tsx";
import { Empty, Fault, Loading, Panel, cli } from "../parts/panel.tsx";
import { zone } from "../parts/range.tsx";
import { count, showNumber, showShort, showUsd } from "../parts/show.ts";
import { type Column, Table } from "../parts/table.tsx";
import { place, setQuery } from "../router.ts";
import { type UsageTotals, client } from "../server.ts";
import { type Span, datesOf, nameOf, spanTitles, spans, stepsOf } from "./spans.ts";
import {
  type Grouping,
  type Measure,
  type Summary,
  type Usage,
  coloursOf,
  groupings,
  maxSeries,
  measured,
  measures,
  namesOf,
  ownOf,
  seriesOf,
  stacked,
  wholeOf,
} from "./usage.ts";

/** Rows of the table. */
const maxRows = 100;

const groupTitles: Readonly<Record<Grouping, string>> = {
  instance: "Agent",
  project: "Project",
  model: "Model",
};
const measureTitles: Readonly<Record<Measure, string>> = { cost: "Cost", tokens: "Tokens" };

const chosen = <T extends string>(all: readonly T[], name: string, unless: T): T =>
  all.find((one) => one === place.value.query.get(name)) ?? unless;

/** What models cost, by whom, when. */
export function Costs() {
  const by = chosen(groupings, "by", "instance");
  const measure = chosen(measures, "of", "cost");
  const span = chosen(spans, "span", "week");
  // Time goes on also while nobody uses anything.
  const { from: current } = stepsOf(span, now.value).at(-1) as { from: number };
  const { answer, fault } = useAnswer(
    (signal) => ask(by, span, signal),
    isUsage,
    [by, span, current],
    sumsEvery,
  );
  return (
    <Panel
      id="costs"
      title="Costs"
      count={answer && answer.whole.total.request_count > 0 && <Sum usage={answer} />}
    >
      <div class="costs">
        <p class="choices">
          <Choice
            name="of"
            label="What is counted"
            titles={measureTitles}
            value={measure}
            onChoose={setQuery}
          />
          <Choice name="by" label="By" titles={groupTitles} value={by} onChoose={setQuery} />
          <Choice name="span" label="Time" titles={spanTitles} value={span} onChoose={setQuery} />
        </p>
        <Fault text={fault} />
        {!answer && fault === "" && <Loading />}
        {answer?.whole.total.request_count === 0 && (
          <Empty command={cli("llm import ~/.claude/projects ~/.codex/sessions")}>
            No model calls recorded ({spanTitles[span].toLowerCase()}). Agents record their calls with{" "}
            <code>koor-cli llm record</code>; to import what Claude Code and Codex logged:
          </Empty>
        )}
        {answer && answer.whole.total.request_count > 0 && <Drawn usage={answer} by={by} measure={measure} />}
      </div>
    </Panel>
  );
}

/** One question a step, which together are the whole span. */
async function ask(by: Grouping, span: Span, signal: AbortSignal): Promise<Usage> {
  const steps = stepsOf(span, serverTime());
  const sums = await Promise.all(
    steps.map(({ from, to }): Promise<Summary> => {
      const query = {
        group_by: by,
        from: new Date(from).toISOString(),
        to: new Date(to - 1).toISOString(),
      };
      return client.call("llm.summary", { query, signal });
    }),
  );
  return { span, steps, sums, whole: wholeOf(sums) };
}

function Sum({ usage: { steps, whole } }: { usage: Usage }) {
  const {
    total_cost_usd: cost,
    request_count: calls,
    total_tokens_in: into,
    total_tokens_out: out,
  } = whole.total;
  return (
    <>
      <strong>{showUsd(cost)}</strong>, {showShort(into)} tokens in, {showShort(out)} out,{" "}
      {count(calls, "call")}{" "}
      <small>
        {datesOf(steps)}, {zone()}
      </small>
    </>
  );
}

/** The colours that names have had since the page was opened. */
const colours: Readonly<Record<Grouping, Map<string, number>>> = {
  instance: new Map(),
  project: new Map(),
  model: new Map(),
};

interface DrawnProps {
  usage: Usage;
  by: Grouping;
  measure: Measure;
}

function Drawn({ usage, by, measure }: DrawnProps) {
  const called = useNames(by);
  const { span, steps, whole } = usage;
  // Drawn each second, since time goes on; what was used changes more seldom.
  const series = useMemo(() => seriesOf(usage, measure), [usage, measure]);
  const names = useMemo(() => namesOf(whole, measure), [whole, measure]);
  const colourAt = useMemo(() => {
    const own = coloursOf(
      series.flatMap(({ name }) => (name === undefined ? [] : [name])),
      colours[by],
    );
    return series.map((_, at) => own[at] ?? maxSeries);
  }, [series, by]);
  const others = series.at(-1)?.name === undefined ? names.slice(maxSeries) : [];
  const show = measure === "cost" ? showUsd : showShort;
  const tip = (bar: number) => (
    <ul>
      {series
        .map(({ name, values }, at) => ({ name, value: values[bar] ?? 0, at }))
        .filter(({ value }) => value > 0)
        .map(({ name, value, at }) => (
          <li key={at}>
            <Chip at={colourAt[at] ?? maxSeries} />{" "}
            {name === undefined ? sayOthers(others.map(called)) : called(name)} <b>{show(value)}</b>
          </li>
        ))}
    </ul>
  );
  const numberColumn = (
    title: string,
    cell: (totals: UsageTotals | undefined) => string,
  ): Column<string> => ({
    title,
    kind: "number told",
    cell: (name) => cell(ownOf(whole.groups, name)),
  });
  const columns: Column<string>[] = [
    {
      title: groupTitles[by],
      kind: "name wide",
      cell: (name) => {
        const at = series.findIndex((one) => one.name === name);
        return (
          <>
            <Chip at={colourAt[at] ?? maxSeries} /> {called(name)}{" "}
            {others.includes(name) && <small>drawn with the others</small>}
          </>
        );
      },
    },
    numberColumn("Cost", (totals) => showUsd(measured("cost", totals))),
    numberColumn("Tokens in", (totals) => showNumber(totals?.total_tokens_in ?? 0)),
    numberColumn("Tokens out", (totals) => showNumber(totals?.total_tokens_out ?? 0)),
    numberColumn("Calls", (totals) => showNumber(totals?.request_count ?? 0)),
  ];
  return (
    <>
      <BarChart
        label={`${measureTitles[measure]} by ${groupTitles[by].toLowerCase()}, ${spanTitles[span]}`}
        names={steps.map((step) => nameOf(span, step))}
        heights={stacked(series)}
        colours={colourAt.map(colourOf).reverse()}
        show={show}
        tip={tip}
      />
      <Table
        label={`Sums by ${groupTitles[by].toLowerCase()}`}
        columns={columns}
        rows={names.slice(0, maxRows)}
        keyOf={(name) => name}
        marks={(name) => ({ "data-usage": name })}
      />
      {names.length > maxRows && (
        <p class="more">
          First {maxRows} shown; all of them: {cli(`llm summary --by ${by}`)}
        </p>
      )}
    </>
  );
}

/** Others that are named beside a bar. */
const namedOthers = 5;

function sayOthers(others: readonly string[]): string {
  const more = others.length - namedOthers;
  const named = others.slice(0, namedOthers).join(", ");
  return `others: ${named}${more > 0 ? ` and ${showNumber(more)} more` : ""}`;
}

function Chip({ at }: { at: number }) {
  return <span class="chip" style={{ background: colourOf(at) }} aria-hidden="true" />;
}

/** Instances are known by their ids, and called by their names. */
function useNames(by: Grouping): (name: string) => string {
  const list = instances.use();
  const nameById = useMemo(() => new Map(list?.map(({ id, name }) => [id, name])), [list]);
  return (name) => {
    if (name === "") return `no ${groupTitles[by].toLowerCase()} given`;
    return (by === "instance" && nameById.get(name)) || name;
  };
}
