import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { strace } from "../../scripts/setup.mjs";
import { type Fault, faults } from "./faults.ts";

/**
 * `npm run faults [-- ID, FOLDER or FILE ...]`: plants each fault in a copy of the sources, and runs the promise's tests there, which must fail. Before
 * that they must pass without it, or their failing would say nothing.
 */

const root = join(import.meta.dir, "../..");
const wanted = process.argv.slice(2);
const chosen = faults.filter(
  ({ promise, file }) =>
    wanted.length === 0 ||
    wanted.some((one) => one === promise || one === file || file.startsWith(`${one}/`)),
);
if (chosen.length === 0) throw new Error(`no fault for ${wanted.join(", ")}`);

strace();
const copy = mkdtempSync(join(tmpdir(), "koor-faults-"));
let wrong = 0;
try {
  const left = ["node_modules", "dist", ".git"].map((name) => join(root, name));
  cpSync(root, copy, { recursive: true, filter: (path) => !left.includes(path) });
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
  await build();
  for (const fault of chosen) {
    const before = await test(fault);
    const after = await planted(fault, () => test(fault));
    const found = before.passed && !after.passed && after.cites;
    if (!found) wrong += 1;
    const verdict = !before.passed ? "FAILS WITHOUT IT" : found ? "found" : "NOT FOUND";
    console.log(`${fault.promise}: ${verdict}: ${fault.says} (${fault.test})`);
    if (!found) console.log((before.passed ? after : before).output.split("\n").slice(-60).join("\n"));
    else
      console.log(
        `    ${after.failures[0]}${after.failures.length > 1 ? `, and ${after.failures.length - 1} more` : ""}`,
      );
  }
} finally {
  rmSync(copy, { recursive: true, force: true });
}
console.log(
  wrong === 0 ? `\nall ${chosen.length} were found` : `\n${wrong} of ${chosen.length} were not found`,
);
process.exitCode = wrong === 0 ? 0 : 1;

async function planted<T>(fault: Fault, work: () => Promise<T>): Promise<T> {
  const file = join(copy, fault.file);
  const text = readFileSync(file, "utf8");
  writeFileSync(
    file,
    text.replace(fault.find, () => fault.put),
  );
  try {
    if (fault.compiled) await build();
    return await work();
  } finally {
    writeFileSync(file, text);
    if (fault.compiled) await build();
  }
}

async function build(): Promise<void> {
  const { code, output } = await run(["scripts/build.ts"]);
  if (code !== 0) throw new Error(`the build failed: ${output}`);
}

/** The tests of the promise in the fault's test file. */
async function test({ promise, test }: Fault) {
  const name = `\\((?:[A-Z]+-\\d+, )*${promise}[,)]`;
  const { code, output } = await run(["test", "--isolate", "--timeout=60000", test, "-t", name]);
  const failures = [...new Set(output.split("\n").filter((line) => line.startsWith("(fail)")))];
  return { passed: code === 0, output, failures, cites: failures.some((line) => line.includes(promise)) };
}

async function run(args: string[]): Promise<{ code: number; output: string }> {
  const child = Bun.spawn([process.execPath, "--no-env-file", ...args], {
    cwd: copy,
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { code, output: out + err };
}
