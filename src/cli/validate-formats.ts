import { pathToFileURL } from "node:url";
import type { CallAnswer } from "../client/client.ts";
import { version } from "./commands.generated.ts";
import { oneLine } from "./failure.ts";

/** What `validate` found, in the forms that people, programs and CI read. Pure. */

type Violation = CallAnswer<"rules.validate">["violations"][number];

export interface CheckedFile {
  file: string;
  violations: readonly Violation[];
  /** There are more than these. */
  truncated?: true;
  /** Why it was not checked, as the end of a sentence; then there are no violations. */
  fault?: string;
}

export interface ValidateReport {
  project: string;
  files: readonly CheckedFile[];
  errors: number;
  warnings: number;
}

export const formats = { text, json, sarif, github } satisfies Record<
  string,
  (report: ValidateReport) => string
>;

/** What is missing in a file has no line: linters, and the places where their reports are shown, call that the first. */
const firstLine = 1;

/** `file:line: severity: message [rule]`, and of a rule that is only proposed `[rule, proposed]`. */
function text(report: ValidateReport): string {
  return lines(report, (file, { line = firstLine, severity, message, rule_id, proposed }) =>
    oneLine(`${file}:${line}: ${severity}: ${message} [${rule_id}${proposed ? ", proposed" : ""}]`),
  );
}

/** Workflow commands of GitHub Actions: annotations beside the lines of a pull request; of proposed rules as notices. */
function github(report: ValidateReport): string {
  return lines(report, (file, { line = firstLine, severity, message, rule_id, proposed }) => {
    const properties = { file, line: String(line), title: rule_id };
    const shown = Object.entries(properties).map(([name, value]) => `${name}=${escapeProperty(value)}`);
    return `::${proposed ? "notice" : severity} ${shown.join(",")}::${escapeData(message)}`;
  });
}

function lines({ files }: ValidateReport, show: (file: string, violation: Violation) => string): string {
  return files
    .flatMap(({ file, violations }) => violations.map((violation) => `${show(file, violation)}\n`))
    .join("");
}

/** As the runner of GitHub Actions takes them apart; it knows no other escapes. */
function escapeData(value: string): string {
  return value.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
}

function escapeProperty(value: string): string {
  return escapeData(value).replaceAll(":", "%3A").replaceAll(",", "%2C");
}

function json(report: ValidateReport): string {
  return `${JSON.stringify(report)}\n`;
}

/** SARIF 2.1.0, which code scanning services take; what breaks proposed rules are notes. */
function sarif({ files }: ValidateReport): string {
  const rules: object[] = [];
  const indexes = new Map<string, number>();
  const results = files.flatMap(({ file, violations }) =>
    violations.map(({ rule_id, severity, message, line = firstLine, proposed }) => {
      if (!indexes.has(rule_id)) {
        indexes.set(rule_id, rules.length);
        rules.push({ id: rule_id, shortDescription: { text: message } });
      }
      return {
        ruleId: rule_id,
        ruleIndex: indexes.get(rule_id),
        level: proposed ? "note" : severity,
        message: { text: message },
        locations: [{ physicalLocation: { ...artifact(file), region: { startLine: line } } }],
      };
    }),
  );
  const notifications = files.flatMap(({ file, fault }) =>
    fault === undefined
      ? []
      : [
          {
            level: "error",
            message: { text: `${file} ${fault}` },
            locations: [{ physicalLocation: artifact(file) }],
          },
        ],
  );
  const run = {
    tool: { driver: { name: "koor", version, rules } },
    invocations: [
      { executionSuccessful: notifications.length === 0, toolExecutionNotifications: notifications },
    ],
    results,
  };
  const log = { $schema: "https://json.schemastore.org/sarif-2.1.0.json", version: "2.1.0", runs: [run] };
  return `${JSON.stringify(log)}\n`;
}

/** A path as the URI that SARIF wants: relative ones stay relative. */
function artifact(file: string): object {
  const uri = file.startsWith("/")
    ? pathToFileURL(file).href
    : file.split("/").map(encodeURIComponent).join("/");
  return { artifactLocation: { uri } };
}
