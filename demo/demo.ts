// `npm run demo`: Koor's main job, shown to a person in under a minute, with the tokens counted.
// `npm run demo -- --busy`: ten agents at work until Ctrl-C, for a look at the dashboard.
import { work } from "./busy.ts";
import { findChromium } from "./browser.ts";
import {
  type Story,
  announce,
  begin,
  discover,
  end,
  fetchTwice,
  learnEndpoints,
  openDashboard,
  register,
  restart,
  sourceFile,
  storeDocument,
  validate,
} from "./story.ts";
import type { TokenBook, Way } from "./tokens.ts";

const say = (line = "") => console.log(line);
const number = (value: number) => value.toLocaleString("en");
const bytes = (text: string) => number(Buffer.byteLength(text));

/** Does one step, and shows how long it took and what came of it. */
async function step<T>(title: string, work: () => Promise<T>, show: (result: T) => string[]): Promise<T> {
  const from = performance.now();
  const result = await work();
  const took = `${Math.round(performance.now() - from)} ms`;
  say(`\n${title.padEnd(76)}${took.padStart(10)}`);
  for (const line of show(result)) say(`   ${line}`);
  return result;
}

async function tell(story: Story): Promise<void> {
  await step(
    "Two agents register over MCP",
    () => register(story),
    (agents) =>
      agents.map(
        ({ name, revision, tools }) => `${name.padEnd(9)} speaks ${revision}, sees ${tools.join(", ")}`,
      ),
  );
  await step(
    "They discover each other",
    () => discover(story),
    (seen) => seen.map(({ seenBy, names }) => `${seenBy.padEnd(9)} sees ${names.join(", ")}`),
  );
  await step(
    "They learn where the data is: REST, WebSocket and koor-cli",
    () => learnEndpoints(story),
    ([first]) => [`${JSON.stringify(first).slice(0, 100)}...`],
  );
  const { state } = await step(
    "backend stores an OpenAPI document with koor-cli, as state and as a spec",
    () => storeDocument(story),
    ({ text, state, spec }) => [
      `${bytes(text)} bytes; state at version ${state.version}, spec at version ${spec.version}`,
      `SHA-256 ${state.hash}`,
    ],
  );
  await step(
    "backend publishes, frontend hears it over WebSocket",
    () => announce(story, state.version),
    ({ received }) => [JSON.stringify(received)],
  );
  await step(
    "frontend fetches the document, and asks again whether it is still the same",
    () => fetchTwice(story),
    (answers) => answers.map(({ status, text, etag }) => `${status}, ${bytes(text)} bytes, ETag ${etag}`),
  );
  await step(
    `frontend has ${sourceFile} checked against the project's rules`,
    () => validate(story),
    ({ violations }) =>
      violations.map(
        ({ line, rule_id, severity, match }) => `${sourceFile}:${line} ${severity} ${rule_id}: ${match}`,
      ),
  );
  await showDashboard(story);
  await step(
    "The server is stopped by SIGTERM and started again; everything is still there",
    () => restart(story),
    ({ exitCode, before, after, seen }) => [
      `exit code ${exitCode}; ${Bun.deepEquals(kept(before), kept(after)) ? "the same" : "NOT THE SAME"}: ` +
        `${bytes(after.state.text)} bytes of state, ${bytes(after.spec.text)} of the spec, ` +
        `${after.events.length} event, ${after.instances.length} instances`,
      `${seen.map(({ seenBy }) => seenBy).join(" and ")} go on over the connections they had`,
    ],
  );
}

/** What a restart must not change: when an agent was last seen is no part of it. */
function kept({ state, spec, events, instances }: Awaited<ReturnType<typeof restart>>["before"]): unknown {
  return { state, spec, events, instances: instances.map(({ id, name }) => ({ id, name })) };
}

async function showDashboard(story: Story): Promise<void> {
  const chromium = findChromium();
  if (chromium === undefined) {
    say("\nThe dashboard: no Chromium here to open it in (KOOR_CHROMIUM names one)");
    return;
  }
  await step(
    `The dashboard, in a headless Chromium`,
    () => openDashboard(story, chromium),
    (shown) => Object.values(shown),
  );
}

const ways: [Way, string][] = [
  ["mcp", "through a model, by MCP: definitions, calls and answers"],
  ["shell", "through a model, in its shell: lines it wrote, short answers it read"],
  ["outside", "outside every context: by REST and koor-cli, from disk to server to disk"],
];

function showTokens(book: TokenBook): void {
  say("\nTokens (o200k, counted over the texts themselves)\n");
  for (const { way, what, tokens } of book.entries()) {
    say(`   ${number(tokens).padStart(8)}  ${way.padEnd(8)} ${what}`);
  }
  say("\n   What passed the two models, and what did not:");
  for (const [way, meaning] of ways) say(`   ${number(book.total(way)).padStart(8)}  ${meaning}`);
  const inside = book.total("mcp") + book.total("shell");
  const all = inside + book.total("outside");
  say(
    `\n   ${number(inside)} of ${number(all)} tokens passed a model: ${((inside / all) * 100).toFixed(1)}%.`,
  );
  say("   A model that reads the document itself pays for it once more; koor-cli --output keeps it on disk.");
}

async function main(): Promise<void> {
  const story = await step("The server starts in an empty directory", begin, ({ server }) => [
    `API ${server.url}, dashboard ${server.dashboardUrl}`,
  ]);
  try {
    await tell(story);
    showTokens(story.book);
  } finally {
    await end(story);
  }
}

/** Until Ctrl-C. The server is a new one in an empty directory, which is removed at the end. */
async function busy(): Promise<void> {
  const story = await begin();
  const stopped = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stopped.abort());
  const { url, dashboardUrl } = story.server;
  say(`Ten agents are at work. The dashboard: ${dashboardUrl}\nAPI: ${url}   (Ctrl-C ends it)`);
  const { signal } = stopped;
  const over = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
  try {
    const working = work({
      url,
      signal,
      pause: (ms) => Promise.race([Bun.sleep(ms), over]),
      random: Math.random,
    });
    await Promise.race([working, over]);
  } finally {
    await end(story);
  }
}

await (process.argv.includes("--busy") ? busy() : main());
