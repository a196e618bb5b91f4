import { useState } from "preact/hooks";
import { rules } from "../live/lists.ts";
import { budgets, warnsAt } from "../live/spent.ts";
import { useAnswer } from "../live/use-answer.ts";
import { Dialog, confirm } from "../parts/dialog.tsx";
import { Empty, Fault, Loading, Panel, cli } from "../parts/panel.tsx";
import { showNumber, showUsd } from "../parts/show.ts";
import { type Column, Table } from "../parts/table.tsx";
import { type Budget, client, faultText } from "../server.ts";

/** Budgets that are drawn: those that are used up, or nearly, are the first. */
const maxRows = 100;

/** What projects may spend, and what they have spent of it. */
export function Budgets() {
  const all = budgets.use();
  const [asked, setAsked] = useState<Partial<Budget> | undefined>(undefined);
  const used = useUsed(all?.length);
  const columns: Column<Budget>[] = [
    {
      title: "Project",
      kind: "name",
      cell: ({ project, spent_usd: spent }) => (
        <>
          {project} {spent === 0 && used?.includes(project) === false && <small>nothing recorded yet</small>}
        </>
      ),
    },
    {
      title: "Budget",
      kind: "tight told",
      cell: ({ usd, per, period }) => (
        <>
          {`${showUsd(usd)} a ${per}`} <small>{period} UTC</small>
        </>
      ),
    },
    { title: "Spent", kind: "wide", cell: (budget) => <Bar budget={budget} /> },
    {
      title: "Actions",
      kind: "end tight",
      cell: (budget) => (
        <>
          <button
            type="button"
            class="quiet"
            aria-label={`Change the budget of ${budget.project}`}
            onClick={() => setAsked(budget)}
          >
            Change
          </button>{" "}
          <button
            type="button"
            class="quiet"
            aria-label={`Remove the budget of ${budget.project}`}
            onClick={() => remove(budget)}
          >
            Remove
          </button>
        </>
      ),
    },
  ];
  return (
    <Panel
      id="budgets"
      title="Budgets"
      count={
        <button type="button" class="quiet" onClick={() => setAsked({})}>
          Set a budget
        </button>
      }
    >
      <Fault text={budgets.fault.value} />
      {!all && budgets.fault.value === "" && <Loading />}
      {all?.length === 0 && (
        <Empty command={cli("llm budget-set shop --usd 20 --per day")}>
          No project has a budget. A budget warns at 80 % and when it is exceeded; it stops nobody. Set one
          with the button above, or by:
        </Empty>
      )}
      {all && all.length > 0 && (
        <Table
          label="Budgets, and what is spent of them"
          columns={columns}
          rows={[...all].sort((a, b) => b.share - a.share).slice(0, maxRows)}
          keyOf={({ project }) => project}
          marks={({ project, share }) => ({ "data-budget": project, "data-level": levelOf(share) })}
        />
      )}
      {all && all.length > 0 && (
        <p class="more">
          The line in each bar is at 80 %, where Koor warns.
          {all.some(({ project, spent_usd: spent }) => spent === 0 && used?.includes(project) === false) &&
            ` Where nothing was recorded, see whether the name is that of a project with usage: ${sayProjects(used)}.`}
        </p>
      )}
      {all && all.length > maxRows && (
        <p class="more">
          First {maxRows} of {showNumber(all.length)} shown; all of them: {cli("llm budgets")}
        </p>
      )}
      {asked && <Ask budget={asked} used={used} onClose={() => setAsked(undefined)} />}
    </Panel>
  );
}

function levelOf(share: number): "good" | "warn" | "bad" {
  return share > 1 ? "bad" : share >= warnsAt ? "warn" : "good";
}

function Bar({ budget: { project, usd, share, spent_usd: spent } }: { budget: Budget }) {
  const said = `${showUsd(spent)}, ${Math.round(share * 100)} %`;
  const rest = share > 1 ? `${showUsd(spent - usd)} over` : `${showUsd(usd - spent)} left`;
  return (
    <div class="budget" data-tint={levelOf(share)}>
      <div
        class="budget-bar"
        title="The line is at 80 %: Koor warns there, and when all is spent"
        role="meter"
        aria-label={`Spent of the budget of ${project}`}
        aria-valuemin={0}
        aria-valuemax={Math.max(usd, spent)}
        aria-valuenow={spent}
        aria-valuetext={said}
      >
        <div style={{ inlineSize: `${Math.min(share, 1) * 100}%` }} />
        <span style={{ insetInlineStart: `${warnsAt * 100}%` }} />
      </div>
      <span>
        <b>{said}</b> <small>{rest}</small>
      </span>
    </div>
  );
}

function remove({ project }: Budget): void {
  confirm({
    title: `Remove the budget of ${project}`,
    text: "Recorded usage stays. There will be no more warnings for this project.",
    verb: "Remove",
    act: async () => {
      await client.call("llm.deleteBudget", { params: { project } });
      budgets.refresh();
    },
  });
}

/** Projects that are suggested. */
const maxProjects = 200;

/** The projects that calls were ever recorded for; undefined until they are there. @param asOf asked anew when it is another one */
function useUsed(asOf: unknown): readonly string[] | undefined {
  const query = { group_by: "project" } as const;
  const { answer } = useAnswer(
    (signal) => client.call("llm.summary", { query, signal }),
    () => false,
    [asOf],
  );
  return answer && Object.keys(answer.groups).filter((name) => name !== "");
}

/** Projects that are named in a sentence. */
const namedProjects = 10;

function sayProjects(names: readonly string[] = []): string {
  if (names.length === 0) return "none so far";
  return names.slice(0, namedProjects).join(", ") + (names.length > namedProjects ? " and others" : "");
}

interface AskProps {
  budget: Partial<Budget>;
  used: readonly string[] | undefined;
  onClose: () => void;
}

function Ask({ budget, used, onClose }: AskProps) {
  const [project, setProject] = useState(budget.project ?? "");
  const [usd, setUsd] = useState(String(budget.usd ?? ""));
  const [per, setPer] = useState<Budget["per"]>(budget.per ?? "day");
  const [fault, setFault] = useState("");
  const [busy, setBusy] = useState(false);
  const own = rules.use()?.map((rule) => rule.project) ?? [];
  const known = [...new Set([...(used ?? []), ...own])].filter((name) => name !== "_global");
  const save = async () => {
    setBusy(true);
    try {
      await client.call("llm.setBudget", { params: { project }, body: { usd: Number(usd), per } });
      budgets.refresh();
      onClose();
    } catch (error) {
      setFault(faultText(error));
      setBusy(false);
    }
  };
  return (
    <Dialog title={budget.project === undefined ? "Set a budget" : "Change a budget"} onClose={onClose}>
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          void save();
        }}
      >
        <p class="soft">
          A budget warns, it does not stop calls: Koor publishes the event <code>budget.warning</code> at 80 %
          and <code>budget.exceeded</code> above it, once in each {per}, and marks the project on this
          dashboard.
        </p>
        <label>
          Project
          <input
            required
            list="known-projects"
            autocomplete="off"
            value={project}
            readOnly={budget.project !== undefined}
            onInput={(event) => setProject(event.currentTarget.value)}
          />
        </label>
        <datalist id="known-projects">
          {known.slice(0, maxProjects).map((name) => (
            <option key={name} value={name} />
          ))}
        </datalist>
        {project !== "" && used?.includes(project) === false && (
          <p class="soft">
            Nothing was recorded for {project} so far. Projects with usage: {sayProjects(used)}.
          </p>
        )}
        <label>
          US dollars
          <input
            required
            type="number"
            min="0.01"
            step="any"
            value={usd}
            onInput={(event) => setUsd(event.currentTarget.value)}
          />
        </label>
        <label>
          Per
          <select value={per} onChange={(event) => setPer(event.currentTarget.value as Budget["per"])}>
            <option value="day">day (UTC)</option>
            <option value="month">month (UTC)</option>
          </select>
        </label>
        <Fault text={fault} />
        <footer>
          <button type="submit" disabled={busy}>
            Save
          </button>
        </footer>
      </form>
    </Dialog>
  );
}
