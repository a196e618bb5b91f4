import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { plainEnvironment, root, startKoor, temporaryDirectory } from "./processes.ts";
import { type Section, median, ratioOf, show } from "./report.ts";

const rounds = 7;
const contentBytes = 1024 * 1024;

/** What a validation may take, in milliseconds: the budget after which the server stops it. */
const budget = 2000;

interface CuratedRule {
  rule_id: string;
  pattern: string;
}

/** All curated rules over one file of a megabyte, beside grep over the same file, once a rule. */
export async function measureRules(): Promise<Section> {
  const content = sourceCode();
  const file = join(temporaryDirectory(), "source.ts");
  writeFileSync(file, content);
  const all = curatedRules();
  const greppable = all.flatMap(({ rule_id, pattern }) => {
    const ere = asExtended(pattern);
    return ere === undefined ? [] : [{ rule_id, pattern, ere }];
  });

  const koor = await startKoor();
  await importRules(koor.url, "all", all);
  await importRules(koor.url, "greppable", greppable);
  const cold = (await validate(koor.url, "all", content)).ms;
  const times = { all: [] as number[], greppable: [] as number[], grep: [] as number[] };
  let matches = 0;
  for (let round = 0; round < rounds; round++) {
    times.all.push((await validate(koor.url, "all", content)).ms);
    const some = await validate(koor.url, "greppable", content);
    times.greppable.push(some.ms);
    const { ms, counts } = grepEach(greppable, file);
    times.grep.push(ms);
    for (const [index, { rule_id }] of greppable.entries()) {
      if (some.isStopped) break;
      if (counts[index] === (some.lines.get(rule_id) ?? 0)) continue;
      throw new Error(`${rule_id}: grep found ${counts[index]} lines, Koor ${some.lines.get(rule_id) ?? 0}`);
    }
    matches = counts.reduce((sum, count) => sum + count, 0);
  }
  await koor.stop();

  const { shown } = ratioOf(times.greppable, times.grep);
  const worst = Math.max(cold, ...times.all);
  return {
    title: "Rules",
    how:
      `\`POST /api/validate/PROJECT\` with ${show(content.length)} bytes of TypeScript (the files of src/, one after the other, ` +
      `until there are as many), from the request to its answer, without a filename, so that the rules of every language are asked: ` +
      `all ${all.length} of rules/; and the ${greppable.length} of them that POSIX can say, beside \`LC_ALL=C grep -c -E\` on a file, ` +
      `one process a rule (both find the same ${matches} lines). ${rounds} rounds; the first validation of all starts the worker.`,
    tables: [
      {
        columns: ["What", "ms", "ms a rule", "Koor / grep"],
        rows: [
          row("the first time", all, [cold]),
          row("", all, times.all),
          row("", greppable, times.greppable, shown),
          ["grep", median(times.grep), median(times.grep) / greppable.length, ""],
        ],
      },
    ],
    goals: [
      {
        text: `all of them within the budget of ${show(budget)} ms`,
        measured: `${show(worst)} ms at worst`,
        met: worst <= budget,
      },
    ],
    limits: [
      "A file is validated with the rules for its name and stack, which are a third of them.",
      "grep stops at nothing: it has no budget, and what is slow in it holds up whoever runs it.",
    ],
  };
}

function row(
  when: string,
  rules: readonly unknown[],
  times: readonly number[],
  ratio = "",
): (string | number)[] {
  const ms = median(times);
  return [`Koor, ${rules.length} rules${when && `, ${when}`}`, ms, ms / rules.length, ratio];
}

function curatedRules(): CuratedRule[] {
  const directory = join(root, "rules");
  return readdirSync(directory)
    .filter((name) => name.endsWith(".json"))
    .flatMap((name) => JSON.parse(readFileSync(join(directory, name), "utf8")) as CuratedRule[]);
}

function sourceCode(): string {
  const names = [...new Bun.Glob("src/**/*.ts").scanSync(root)].toSorted();
  let text = names.map((name) => readFileSync(join(root, name), "utf8")).join("");
  while (text.length < contentBytes) text += text;
  return text.slice(0, contentBytes);
}

async function importRules(url: string, project: string, rules: readonly CuratedRule[]): Promise<void> {
  const body = JSON.stringify(rules.map((rule) => ({ ...rule, project, applies_to: ["*"] })));
  const response = await fetch(`${url}/api/rules/import`, { method: "POST", body });
  if (!response.ok) throw new Error(`import: ${await response.text()}`);
}

/** How long it took, and how many lines each rule found; a busy machine may not have the time for it. */
async function validate(
  url: string,
  project: string,
  content: string,
): Promise<{ ms: number; lines: Map<string, number>; isStopped: boolean }> {
  const body = JSON.stringify({ content });
  const startedAt = performance.now();
  const response = await fetch(`${url}/api/validate/${project}`, { method: "POST", body });
  const answer = (await response.json()) as { violations?: { rule_id: string }[]; truncated?: true };
  const ms = performance.now() - startedAt;
  const isStopped = response.status === 422;
  if ((!response.ok && !isStopped) || answer.truncated)
    throw new Error(`validate: ${JSON.stringify(answer).slice(0, 300)}`);
  const found = Map.groupBy(answer.violations ?? [], ({ rule_id }) => rule_id);
  return { ms, lines: new Map([...found].map(([id, violations]) => [id, violations.length])), isStopped };
}

function grepEach(rules: readonly { ere: string }[], file: string): { ms: number; counts: number[] } {
  const env = { ...plainEnvironment(), LC_ALL: "C" };
  const startedAt = performance.now();
  const counts = rules.map(({ ere }) => {
    const { stdout, stderr, exitCode } = Bun.spawnSync(["grep", "-c", "-E", "-e", ere, file], { env });
    if (exitCode > 1) throw new Error(`grep -E '${ere}': ${stderr.toString()}`);
    return Number(stdout.toString());
  });
  return { ms: performance.now() - startedAt, counts };
}

/** The pattern as GNU grep -E takes it; nothing for one that it cannot say. */
function asExtended(pattern: string): string | undefined {
  if (/\(\?[^:]|[^\x20-\x7e]|\\[nrtx]/.test(pattern)) return undefined;
  let canSay = true;
  const converted = pattern
    .replaceAll("(?:", "(")
    .replaceAll(/\\d|\\[^]|\[(\^?)((?:\\.|[^\]\\])+)\]/g, (whole, not: string, members?: string) => {
      if (members === undefined) return whole === "\\d" ? "[0-9]" : whole;
      const plain = members
        .replaceAll("\\w", "[:alnum:]_")
        .replaceAll("\\s", "[:space:]")
        .replaceAll("\\d", "0-9");
      // A backslash in brackets is itself there, and not the escape that was meant.
      canSay &&= !plain.includes("\\");
      return `[${not}${plain}]`;
    });
  return canSay ? converted : undefined;
}
