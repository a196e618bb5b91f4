// bun bench/ungrouped-server.ts DIRECTORY: Koor's state over HTTP with one transaction, and so one fsync, for each write.
// Mount, service, `decide`, rows and the writer's worker are Koor's own; only the gathering of commits is missing. The
// worker always has the next commit waiting, so that it never idles for the event loop: anything less would flatter Koor.
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { readConfig } from "../src/config.ts";
import { type Services, api } from "../src/contract/api.ts";
import type { Commit, Outcome } from "../src/core/commit.ts";
import { createFront } from "../src/http/front.ts";
import { mountApi } from "../src/http/mount.ts";
import { createLedger } from "../src/metrics/ledger.ts";
import { stateService } from "../src/state/service.ts";
import { migrate, openDatabase } from "../src/store/sqlite-database.ts";
import type { WriterReply, WriterRequest, WriterResults } from "../src/store/sqlite-writer.worker.ts";
import type { Store } from "../src/store/store.ts";

const file = join(process.argv[2] as string, "data.db");
const setup = openDatabase(file, "write");
migrate(setup, randomUUID);
setup.close();

const worker = new Worker(new URL("../src/store/sqlite-writer.worker.ts", import.meta.url).href);
const asked: ((reply: WriterReply) => void)[] = [];
worker.onmessage = ({ data }: MessageEvent<WriterReply>) => asked.shift()?.(data);

async function ask(request: WriterRequest): Promise<unknown> {
  const { promise, resolve } = Promise.withResolvers<WriterReply>();
  asked.push(resolve);
  worker.postMessage(request);
  const reply = await promise;
  if (!reply.ok) throw new Error(reply.message);
  return reply.result;
}

await ask({ kind: "open", file, synchronous: "FULL" });

async function commit(commit: Commit): Promise<Outcome> {
  const { outcomes } = (await ask({
    kind: "transact",
    batch: [commit],
    now: Date.now(),
  })) as WriterResults["transact"];
  return outcomes[0] as Outcome;
}

const nobody = Object.fromEntries(Object.keys(api).map((noun) => [noun, {}]));
const config = readConfig([], {});
const values = {
  store: { commit } as unknown as Store,
  documents: {} as never,
  waitForVersion: async () => undefined,
  strictWrites: false,
};
const routes = mountApi({
  services: { ...nobody, state: stateService(values) } as Services,
  front: createFront({ config, dashboardPort: () => undefined }),
  ledger: createLedger(),
  sockets: {} as never,
  streams: {} as never,
  feeds: {},
  identify: async () => ({ name: "" }),
});
const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  routes: routes as never,
  fetch: () => new Response(null, { status: 404 }),
  development: false,
});
console.error(`listening on http://127.0.0.1:${server.port}`);
