import { useEffect, useMemo, useState } from "preact/hooks";
import { rules } from "../live/lists.ts";
import { Fault, Panel } from "../parts/panel.tsx";
import { count, showNumber } from "../parts/show.ts";
import { type Rule, type Violation, client, faultText } from "../server.ts";

/** How long nobody types before the text is checked, in milliseconds. */
const checkAfter = 300;
/** Lines that are drawn with their marks. */
const maxLines = 1000;
/** Violations that are listed. */
const maxViolations = 200;

/** A text, checked as it is typed, with the lines marked that break a rule. */
export function Playground({ projects }: { projects: readonly string[] }) {
  const own = projects.filter((project) => project !== "_global");
  const [project, setProject] = useState("");
  const [filename, setFilename] = useState("src/example.ts");
  const [text, setText] = useState("");
  const [tries, setTries] = useState(false);
  const chosen = project || own[0] || "_global";
  const { accepted = [], proposed = [] } = rulesFor(chosen);
  const { checked, fault } = useViolations(chosen, filename, text, tries);
  return (
    <Panel id="playground" title="Playground" count="check a file’s content against the rules">
      <div class="playground">
        <div class="playground-about">
          <label>
            Project
            <select value={chosen} onChange={(event) => setProject(event.currentTarget.value)}>
              {(own.length > 0 ? own : ["_global"]).map((name) => (
                <option key={name}>{name}</option>
              ))}
            </select>
          </label>
          <label>
            File name
            <input value={filename} onInput={(event) => setFilename(event.currentTarget.value)} />
          </label>
        </div>
        {proposed.length > 0 && (
          <label>
            <input
              type="checkbox"
              checked={tries}
              onChange={(event) => setTries(event.currentTarget.checked)}
            />{" "}
            Try the proposed rules, too ({showNumber(proposed.length)})
          </label>
        )}
        <textarea
          aria-label="Text to check"
          rows={8}
          spellcheck={false}
          placeholder="Paste a file here"
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
        <Fault text={fault} />
        {text !== "" && checked && <Verdict {...checked} />}
        <Asked rules={tries ? [...accepted, ...proposed] : accepted} />
      </div>
    </Panel>
  );
}

/** Those of a project and those of every project, by status. */
function rulesFor(project: string) {
  const all = (rules.value.value ?? []).filter((rule) => [project, "_global"].includes(rule.project));
  return Object.groupBy(all, ({ status }) => status);
}

/** The rules that are asked, with the files that each one checks: why one said nothing is seen by that. */
function Asked({ rules: asked }: { rules: readonly Rule[] }) {
  return (
    <details class="asked">
      <summary>{count(asked.length, "rule")} asked, and the files that each one checks</summary>
      <ul>
        {asked.slice(0, maxViolations).map(({ project, rule_id: id, applies_to: files, stack, status }) => (
          <li key={`${project}/${id}`}>
            <strong>{id}</strong> <code>{files.join(", ")}</code> {stack && <small>stack {stack}</small>}
            {status === "proposed" && <small>proposed</small>}
          </li>
        ))}
      </ul>
    </details>
  );
}

/** What was found, and in which text: it may have been changed since. */
interface Checked {
  text: string;
  violations: readonly Violation[];
  /** Whether there are more than were counted. */
  isCut: boolean;
}

function useViolations(project: string, filename: string, content: string, tries: boolean) {
  const [checked, setChecked] = useState<Checked | undefined>(undefined);
  const [fault, setFault] = useState("");
  const all = rules.value.value;
  useEffect(() => {
    setFault("");
    if (content === "") return setChecked(undefined);
    const aborter = new AbortController();
    const { signal } = aborter;
    const check = () => {
      const body = { filename, content, include_proposed: tries };
      client.call("rules.validate", { params: { project }, body, signal }).then(
        ({ violations, truncated }) => setChecked({ text: content, violations, isCut: truncated ?? false }),
        (error: unknown) => {
          if (signal.aborted) return;
          // What was found before says nothing of this text.
          setChecked(undefined);
          setFault(faultText(error));
        },
      );
    };
    const timer = setTimeout(check, checkAfter);
    return () => {
      clearTimeout(timer);
      aborter.abort();
    };
  }, [project, filename, content, tries, all]);
  return { checked, fault };
}

function Verdict({ violations, text, isCut }: Checked) {
  const byLine = useMemo(() => {
    const lines = new Map<number, Violation[]>();
    for (const violation of violations) {
      const line = violation.line ?? 0;
      lines.set(line, [...(lines.get(line) ?? []), violation]);
    }
    return lines;
  }, [violations]);
  const all = linesOf(text);
  const lines = all.slice(0, maxLines);
  return (
    <>
      <p role="status">
        <span class="tag" data-tint={tintOf(violations)}>
          {isCut && "at least "}
          {sayViolations(violations)}
        </span>
      </p>
      {(byLine.get(0) ?? []).slice(0, maxViolations).map((violation, index) => (
        <Word key={index} violation={violation} />
      ))}
      <ol class="checked" tabIndex={0} aria-label="The text, with marks">
        {lines.map((line, index) => {
          const broken = byLine.get(index + 1) ?? [];
          return (
            <li key={index} data-line={index + 1} data-broken={broken.length > 0 ? "" : undefined}>
              <code>{line === "" ? " " : line}</code>
              {broken.map((violation, at) => (
                <Word key={at} violation={violation} />
              ))}
            </li>
          );
        })}
      </ol>
      {all.length > maxLines && (
        <p class="more">
          The first {showNumber(maxLines)} of {showNumber(all.length)} lines are shown; all of them are
          checked
        </p>
      )}
    </>
  );
}

/** As the rules see them: a line ends with a line feed, after the last of which there is none. */
function linesOf(text: string): string[] {
  return text.replace(/\n$/, "").split("\n");
}

function tintOf(violations: readonly Violation[]): "good" | "warn" | "bad" {
  if (violations.length === 0) return "good";
  return violations.some(({ severity, proposed }) => severity === "error" && !proposed) ? "bad" : "warn";
}

function sayViolations(violations: readonly Violation[]): string {
  const [errors, warnings, tried] = [
    violations.filter(({ severity, proposed }) => severity === "error" && !proposed).length,
    violations.filter(({ severity, proposed }) => severity === "warning" && !proposed).length,
    violations.filter(({ proposed }) => proposed).length,
  ];
  const said = [
    errors > 0 && count(errors, "violation"),
    warnings > 0 && count(warnings, "warning"),
    tried > 0 && `${showNumber(tried)} of proposed rules`,
  ].filter((part) => part !== false);
  return said.length === 0 ? "No violations" : said.join(", ");
}

function Word({ violation: { rule_id: id, message, severity, proposed } }: { violation: Violation }) {
  return (
    <p class="word" data-severity={severity}>
      <strong>{id}</strong> {message} {proposed && <small>proposed</small>}
    </p>
  );
}
