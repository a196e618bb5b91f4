import { useState } from "preact/hooks";
import { rules } from "../live/lists.ts";
import { confirm } from "../parts/dialog.tsx";
import { Age, Empty, Fault, Loading, Panel, ViewFrame, cli } from "../parts/panel.tsx";
import { SearchField } from "../parts/search-field.tsx";
import { count, showNumber } from "../parts/show.ts";
import { type Column, Table } from "../parts/table.tsx";
import { type Rule, client } from "../server.ts";
import { Playground } from "./playground.tsx";

/** Rules that are drawn. */
const maxRules = 200;
/** Proposals that are drawn: whoever decides on them gets to the others. */
const maxProposed = 100;

const tints = { accepted: "good", proposed: "wait", rejected: "warn" } as const;

/** What files are checked against; what was proposed, to accept or to reject; and a place to try it. */
export function Rules() {
  const all = rules.use();
  const [words, setWords] = useState("");
  const wanted = words.toLowerCase();
  const found = all?.filter((rule) => textOf(rule).includes(wanted)) ?? [];
  const proposed = found.filter(({ status }) => status === "proposed");
  const others = found.filter(({ status }) => status !== "proposed");
  return (
    <ViewFrame
      title="Rules"
      summary={
        all && all.length > 0 ? `${count(all.length, "rule")}, ${proposed.length} proposed` : undefined
      }
      tools={<SearchField of="rules" value={words} onInput={setWords} />}
    >
      <Fault text={rules.fault.value} />
      {!all && rules.fault.value === "" && <Loading />}
      {proposed.length > 0 && (
        <Panel id="proposed" title="Proposed" count="not in force until accepted">
          <Table
            label="Proposed rules"
            columns={proposedColumns}
            rows={proposed.slice(0, maxProposed)}
            keyOf={keyOf}
            marks={marksOf}
          />
          {proposed.length > maxProposed && (
            <p class="more">
              The first {maxProposed} of {showNumber(proposed.length)}; search finds the others
            </p>
          )}
        </Panel>
      )}
      <div class="rules-and-playground">
        {all && (
          <Panel id="rules" title="Rules" count={count(others.length, "rule")}>
            {all.length === 0 ? (
              <Empty command={cli("rules import --file rules/universal.json")}>
                No rules yet. Import a set that comes with Koor:
              </Empty>
            ) : (
              <Table
                label="Rules"
                columns={columns}
                rows={others.slice(0, maxRules)}
                keyOf={keyOf}
                marks={marksOf}
              />
            )}
            {others.length > maxRules && (
              <p class="more">
                The first {maxRules} of {showNumber(others.length)}; search finds the others
              </p>
            )}
          </Panel>
        )}
        {all && <Playground projects={[...new Set(all.map(({ project }) => project))]} />}
      </div>
    </ViewFrame>
  );
}

function textOf({ rule_id: id, project, message, pattern }: Rule): string {
  return `${id} ${project} ${message} ${pattern}`.toLowerCase();
}

const keyOf = ({ project, rule_id: id }: Rule) => `${project} ${id}`;
const marksOf = ({ project, rule_id: id, status }: Rule) => ({
  "data-rule": `${project}/${id}`,
  "data-status": status,
});

const name: Column<Rule> = {
  title: "Rule",
  kind: "name",
  cell: ({ rule_id: id, project, severity }) => (
    <>
      {id} <small>{project === "_global" ? "every project" : project}</small>{" "}
      {severity === "warning" && <small>warning</small>}
    </>
  ),
};

const meaning: Column<Rule> = {
  title: "Message and pattern",
  kind: "wide",
  cell: ({ message, pattern, match_type: type, applies_to: globs }) => (
    <>
      {message}
      <code class="pattern" title={`${type}, in ${globs.join(", ")}`}>
        {pattern}
      </code>
    </>
  ),
};

const columns: Column<Rule>[] = [
  name,
  meaning,
  {
    title: "Status",
    kind: "tight",
    cell: ({ status }) => (
      <span class="tag" data-tint={tints[status]}>
        {status}
      </span>
    ),
  },
];

const proposedColumns: Column<Rule>[] = [
  name,
  meaning,
  {
    title: "Reason",
    kind: "soft wide",
    cell: ({ context, proposed_by: by, created_at: at }) => (
      <>
        {context}
        <small class="by">
          {by !== "" && `${by}, `}
          <Age at={at} />
        </small>
      </>
    ),
  },
  {
    title: "Decision",
    kind: "end tight",
    cell: (rule) => (
      <span class="buttons end">
        <Decide rule={rule} verb="Accept" />
        <Decide rule={rule} verb="Reject" />
      </span>
    ),
  },
];

function Decide({ rule: { project, rule_id }, verb }: { rule: Rule; verb: "Accept" | "Reject" }) {
  const operation = verb === "Accept" ? "rules.accept" : "rules.reject";
  const ask = () =>
    confirm({
      title: `${verb} ${rule_id}`,
      text:
        verb === "Accept"
          ? `Files of ${project === "_global" ? "every project" : project} will be checked against it.`
          : "It stays in the list as rejected, and no file is checked against it.",
      verb,
      act: () => client.call(operation, { params: { project, rule_id } }),
    });
  return (
    <button
      type="button"
      class={verb === "Accept" ? undefined : "quiet"}
      aria-label={`${verb} ${rule_id}`}
      onClick={ask}
    >
      {verb}
    </button>
  );
}
