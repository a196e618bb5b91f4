// bun bench/variant-server.ts DIRECTORY ungrouped|normal: Koor's state over HTTP, but for one thing that is otherwise.
// Mount, service, `decide`, rows and the writer's worker are Koor's own. `ungrouped`: one transaction, and so one fsync, for
// each write; the worker always has the next commit waiting, so that it never idles for the event loop: anything less would
// flatter Koor. `normal`: `synchronous=NORMAL`, which syncs at checkpoints only, so that a power cut takes acknowledged writes.
import { createRefusals } from "../src/audit/refusals.ts";
import { readConfig } from "../src/config.ts";
import { type Services, api } from "../src/contract/api.ts";
import { createFront } from "../src/http/front.ts";
import { mountApi } from "../src/http/mount.ts";
import { countAgents } from "../src/metrics/agents.ts";
import { createLedger } from "../src/metrics/ledger.ts";
import { createMeters } from "../src/metrics/meters.ts";
import { stateService } from "../src/state/service.ts";
import { openSqlite } from "../src/store/sqlite/open.ts";

const [directory = "", variant] = process.argv.slice(2);
const changed = variant === "normal" ? ({ synchronous: "NORMAL" } as const) : { batchCommits: 1 };
const store = await openSqlite({ directory, now: Date.now, ...changed });

const nobody = Object.fromEntries(Object.keys(api).map((noun) => [noun, {}]));
const config = readConfig([], {});
const values = {
  store,
  documents: {} as never,
  waitForVersion: async () => undefined,
  strictWrites: false,
};
const routes = mountApi({
  services: { ...nobody, state: stateService(values) } as Services,
  front: createFront({ config, dashboardPort: () => undefined }),
  ledger: createLedger(),
  meters: createMeters(),
  exposition: async () => "",
  sockets: {} as never,
  streams: {} as never,
  feeds: {},
  agents: countAgents(store),
  refusals: createRefusals({ store, onError: () => {} }),
  identify: async () => ({ name: "" }),
  isOwnDelivery: async () => false,
});
const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  routes: routes as never,
  fetch: () => new Response(null, { status: 404 }),
  development: false,
});
console.error(`listening on http://127.0.0.1:${server.port}`);
