// `npm test [-- file filters]`: sets up what is missing, then every check there is. Each step that is not a test file's
// counts as one test. The last line is exactly "N passed, N failed".
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startPostgres } from "./postgres.mjs";
import { SetupError, chromium, pooler, root, setUp, strace, succeeds } from "./setup.mjs";

const filters = process.argv.slice(2);
const tally = { passed: 0, failed: 0 };
/** @type {string[]} */
const failures = [];

/** @param {string} name @param {boolean} ok */
function count(name, ok) {
  tally[ok ? "passed" : "failed"] += 1;
  if (!ok) failures.push(name);
}

/** @param {string} name @param {() => unknown} work true or throws nothing: passed */
function step(name, work) {
  console.log(`\n== ${name}`);
  try {
    count(name, work() !== false);
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    console.log(error.message);
    count(name, false);
  }
}

/** @param {string} name of a package @param {string} file within it: its command, run by our Node */
const tool = (name, file) => [process.execPath, join(root, "node_modules", name, file)];

/** @param {string[]} command @param {...string} args */
const passes = ([command = "", ...first], ...args) => succeeds(command, [...first, ...args]);

/** Tests that say what Koor does over HTTP, whatever engine is below: run once more on PostgreSQL. */
const scenarios = [
  "state",
  "patch",
  "specs",
  "changes",
  "instances",
  "leases",
  "idempotency",
  "strict-writes",
  "wait",
  "events",
  "streams",
  "rules",
  "txn",
  "state-versions",
  "specs-push",
  "contracts",
  "limits",
  "bad-input",
]
  .map((name) => `test/${name}.test.ts`)
  .concat("src/mcp/mcp.test.ts", "src/mcp/bad-input.test.ts");

/**
 * Counts from the report that Bun writes, not from what it prints. Anything it knows of only by its
 * exit code (a file that does not load, a crash, no test at all) is one more failure.
 * @param {string} bun
 * @param {string} title
 * @param {string[]} paths
 */
function tests(bun, title, paths) {
  console.log(`\n== ${title}`);
  const folder = mkdtempSync(join(tmpdir(), "koor-test-"));
  const report = join(folder, "junit.xml");
  const args = [
    "--no-env-file",
    "test",
    "--isolate",
    // A bound for what hangs, no measurement: Bun's own 5 s are not enough on a machine that is busy.
    "--timeout=60000",
    "--reporter=junit",
    `--reporter-outfile=${report}`,
    ...paths,
  ];
  const { status } = spawnSync(bun, args, { cwd: root, stdio: "inherit" });
  const xml = existsSync(report) ? readFileSync(report, "utf8") : "";
  rmSync(folder, { recursive: true });
  const head = /<testsuites[^>]*>/.exec(xml)?.[0] ?? "";
  const number = (/** @type {string} */ name) =>
    Number(new RegExp(`\\b${name}="(\\d+)"`).exec(head)?.[1] ?? 0);
  // A test that ends the process leaves no report, and exit code 0 with it.
  const failed = number("failures") || (status === 0 && number("tests") > 0 ? 0 : 1);
  tally.passed += number("tests") - number("failures") - number("skipped");
  tally.failed += failed;
  if (failed > 0) failures.push(`${title} (${failed})`, ...failuresOf(xml));
}

/**
 * What failed and how, as JUnit reports say it: what Bun itself printed of it is far up by then.
 * @param {string} xml
 */
function failuresOf(xml) {
  const cases = xml.matchAll(
    /<testcase name="([^"]*)"[^>]* file="([^"]*)"[^>]*>\s*<failure[^>]*?(?:\/>|>([^]*?)<\/failure>)/g,
  );
  const marks = /** @type {Record<string, string>} */ ({ lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" });
  const plain = (/** @type {string} */ text) =>
    text
      .replace(/&#(\d+);/g, (_, code) => String.fromCodePoint(Number(code)))
      .replace(/&(\w+);/g, (whole, name) => marks[name] ?? whole);
  return [...cases].map(([, name = "", file = "", text = ""]) =>
    plain(`  ${file}: ${name}\n    ${text.trim().slice(0, 2_000).replaceAll("\n", "\n    ")}`),
  );
}

/**
 * A PostgreSQL for the tests of that engine. Where none can be had they are left out, but in CI that is a failure.
 * @returns {Promise<{ stop: () => Promise<void> } | undefined>}
 */
async function postgres() {
  console.log("\n== PostgreSQL");
  try {
    // Nothing here outlives the machine, and what a killed database has written the system still has.
    const cluster = await startPostgres({ fsync: "off" });
    pooler();
    process.env.KOOR_TEST_POSTGRES = cluster.url;
    count("PostgreSQL", true);
    return cluster;
  } catch (error) {
    console.log(/** @type {Error} */ (error).message);
    if (process.env.CI) count("PostgreSQL", false);
    return undefined;
  }
}

async function checks() {
  const bun = setUp();
  step("browser", () => {
    process.env.KOOR_CHROMIUM = chromium();
    console.log(process.env.KOOR_CHROMIUM);
  });
  strace();
  if (existsSync(join(root, "scripts/generate.ts"))) {
    step("generated files", () => passes([bun], "scripts/generate.ts", "--check"));
  }
  step("types", () => passes(tool("typescript", "bin/tsc"), "--noEmit"));
  step("lint", () => passes(tool("oxlint", "bin/oxlint")));
  step("format", () => passes(tool("oxfmt", "bin/oxfmt"), "--check"));
  step("build", () => passes([bun], "scripts/build.ts"));
  const database = await postgres();
  try {
    tests(bun, "tests", filters.length > 0 ? filters : ["src", "test"]);
    if (database && filters.length === 0) {
      process.env.KOOR_TEST_ENGINE = "postgres";
      tests(bun, "tests on PostgreSQL", scenarios);
    }
  } finally {
    await database?.stop();
  }
}

try {
  await checks();
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  console.log(`koor: ${error.message}`);
  count("set-up", false);
}
if (failures.length > 0) console.log(`\nfailed:\n${failures.join("\n")}`);
process.exitCode = tally.failed > 0 ? 1 : 0;
console.log(`\n${tally.passed} passed, ${tally.failed} failed`);
