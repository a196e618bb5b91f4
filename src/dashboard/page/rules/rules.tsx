import { useState } from "preact/hooks";
import { rules } from "../live/lists.ts";
import { Age, Empty, Fault, Loading, Panel, ViewFrame, cli } from "../parts/panel.tsx";
import { SearchField } from "../parts/search-field.tsx";
import { count, showNumber } from "../parts/show.ts";
import { type Column, Table } from "../parts/table.tsx";
import type { Rule } from "../server.ts";
import { Decisions, Where, projectName } from "./decide.tsx";
import { Playground } from "./playground.tsx";

/** Rules of a list that are drawn. */
const maxRules = 200;
/** Proposals that are drawn: whoever decides on them gets to the others. */
const maxProposed = 100;

/** What files are checked against; what was proposed, to accept or to reject; and a place to try it. */
export function Rules() {
  const all = rules.use();
  const [words, setWords] = useState("");
  const wanted = words.toLowerCase();
  const found = all?.filter((rule) => textOf(rule).includes(wanted)) ?? [];
  const { proposed = [], accepted = [], rejected = [] } = Object.groupBy(found, ({ status }) => status);
  return (
    <ViewFrame
      title="Rules"
      summary={
        all &&
        all.length > 0 &&
        `${words === "" ? "" : `${showNumber(found.length)} of `}${count(all.length, "rule")}, ${proposed.length} proposed`
      }
      tools={<SearchField of="rules" value={words} onInput={setWords} />}
    >
      <Fault text={rules.fault.value} />
      {!all && rules.fault.value === "" && <Loading />}
      {proposed.length > 0 && (
        <Panel
          id="proposed"
          title="Proposed"
          count="not in force until accepted; the playground can try them"
        >
          <List label="Proposed rules" columns={proposedColumns} rules={proposed} most={maxProposed} />
        </Panel>
      )}
      <div class="rules-and-playground">
        {all && (
          <Panel id="rules" title="Accepted" count={count(accepted.length, "rule")}>
            {all.length === 0 ? (
              <Empty command={cli("rules import --file rules/universal.json")}>
                No rules yet. Import a set that comes with Koor:
              </Empty>
            ) : (
              <List label="Accepted rules" columns={columns} rules={accepted} most={maxRules} />
            )}
          </Panel>
        )}
        {all && <Playground projects={[...new Set(all.map(({ project }) => project))]} />}
      </div>
      {rejected.length > 0 && (
        // What a search finds is not to be hidden.
        <details class="panel rejected" open={words !== ""}>
          <summary>{count(rejected.length, "rejected rule")}, which can still be accepted</summary>
          <List label="Rejected rules" columns={proposedColumns} rules={rejected} most={maxRules} />
        </details>
      )}
    </ViewFrame>
  );
}

function textOf({ rule_id: id, project, message, pattern }: Rule): string {
  return `${id} ${project} ${message} ${pattern}`.toLowerCase();
}

interface ListProps {
  label: string;
  columns: readonly Column<Rule>[];
  rules: readonly Rule[];
  /** How many are drawn. */
  most: number;
}

function List({ label, columns, rules: all, most }: ListProps) {
  return (
    <>
      <Table label={label} columns={columns} rows={all.slice(0, most)} keyOf={keyOf} marks={marksOf} />
      {all.length > most && (
        <p class="more">
          The first {most} of {showNumber(all.length)}; search finds the others
        </p>
      )}
    </>
  );
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
      {id} <small>{projectName(project)}</small> {severity === "warning" && <small>warning</small>}
    </>
  ),
};

const meaning: Column<Rule> = {
  title: "Message, pattern and files",
  kind: "wide",
  cell: (rule) => (
    <>
      {rule.message}
      <code class="pattern">{rule.pattern}</code>
      <small class="by">
        <Where rule={rule} />
      </small>
    </>
  ),
};

const columns: Column<Rule>[] = [
  name,
  meaning,
  {
    title: "Decision",
    kind: "end tight",
    cell: (rule) => <Decisions rule={rule} verbs={["Delete"]} />,
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
      <Decisions
        rule={rule}
        verbs={rule.status === "proposed" ? ["Accept", "Reject"] : ["Accept", "Delete"]}
      />
    ),
  },
];
