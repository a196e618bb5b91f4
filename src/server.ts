import { getLogger } from "@logtape/logtape";
import { randomUUID } from "node:crypto";
import { resolve } from "node:path";
import { createRefusals } from "./audit/refusals.ts";
import { auditService } from "./audit/service.ts";
import { type Config, isLoopback } from "./config.ts";
import { backupService } from "./backup/service.ts";
import { complianceService } from "./compliance/service.ts";
import { nameOfDatabase, openStore } from "./open-store.ts";
import type { Services } from "./contract/api.ts";
import { openContractEngine } from "./contracts/engine.ts";
import { contractTest, specGate } from "./contracts/gate.ts";
import { contractJudge } from "./contracts/judge.ts";
import { contractService } from "./contracts/service.ts";
import { dashboardRoutes } from "./dashboard/routes.ts";
import { createSessions, dashboardDoor } from "./dashboard/session.ts";
import { changeLog } from "./changes/log.ts";
import { eventLog } from "./events/log.ts";
import { eventService } from "./events/service.ts";
import { type Feed, createFeed } from "./feed/feed.ts";
import type { Log } from "./feed/log.ts";
import { pollOf } from "./feed/poll.ts";
import { versionWaits } from "./feed/version-waits.ts";
import { openWaitingRoom } from "./feed/waiting-room.ts";
import { createCors } from "./http/cors.ts";
import { createEventStreams } from "./http/event-streams.ts";
import { createFront } from "./http/front.ts";
import { createGate } from "./http/gate.ts";
import { apiFor, bindOf, finished, listen, urlOf } from "./http/listen.ts";
import { mountApi } from "./http/mount.ts";
import type { BunServer } from "./http/route.ts";
import { mountMcp } from "./http/mcp.ts";
import type { FollowersOptions } from "./http/patience.ts";
import { createSockets } from "./http/sockets.ts";
import { instanceService } from "./instances/service.ts";
import { leaseService } from "./leases/service.ts";
import { startJobs } from "./jobs/jobs.ts";
import { jobsOf } from "./jobs/rounds.ts";
import { type ExtraTool, mcpHandler } from "./mcp/handler.ts";
import { readPrices } from "./llm/price-file.ts";
import type { Prices } from "./llm/prices.ts";
import { llmService } from "./llm/service.ts";
import { countAgents } from "./metrics/agents.ts";
import { expositionOf } from "./metrics/exposition.ts";
import { createLedger } from "./metrics/ledger.ts";
import { type Meters, createMeters } from "./metrics/meters.ts";
import { metricsService } from "./metrics/service.ts";
import { resolveHost } from "./outbound/call.ts";
import { publicOr } from "./outbound/target.ts";
import { openRuleEngine } from "./rules/engine.ts";
import { ruleService } from "./rules/service.ts";
import { specService } from "./specs/service.ts";
import { stateService } from "./state/service.ts";
import type { Store } from "./store/store.ts";
import { templateService } from "./templates/service.ts";
import { afterAnswers, payloadOf } from "./webhooks/log.ts";
import { openWebhooks } from "./webhooks/open.ts";
import { txnService } from "./txn/service.ts";
import { openDocuments } from "./values/documents.ts";
import { version } from "./version.ts";

export interface ServerOptions {
  /** Milliseconds since 1970. */
  now?: () => number;
  /** Tools that a test build offers beside the product's. */
  extraTools?: readonly ExtraTool[];
  /** WebSockets open at once, and event streams. */
  followers?: number;
  /** How long after each attempt a webhook's next one comes, and how long one may take, in milliseconds. */
  webhooks?: { delays?: readonly number[]; timeoutMs?: number };
}

export interface RunningServer {
  /** Where the API listens: `http://localhost:9800`. */
  url: string;
  dashboardUrl: string | undefined;
  /** Who follows and who waits right now, and the bytes that wait in this process for slow readers. */
  followers(): { subscriptions: number; waiting: number; bufferedBytes: number };
  /** Stops gracefully: no new connections, running requests finish, subscribers get a close frame. */
  close(): Promise<void>;
}

/** What listens, once it does; ports may be given by the system. */
interface Doors {
  api?: BunServer;
  dashboard?: BunServer;
}

/** Puts the house together and opens its doors. The only place that knows every room. */
export async function openServer(config: Config, options: ServerOptions = {}): Promise<RunningServer> {
  const log = getLogger(["koor", "server"]);
  const prices = readPrices(config.llmPrices);
  const meters = createMeters();
  const store = await openStore(config, options.now, meters.batch);
  const { now } = store;
  const doors: Doors = {};
  const house = furnish(store, config, now, doors, meters, { ...options, prices });
  const { services, instances, leases, sockets, streams, feeds, room, gate } = house;
  const { engine, documents, contractEngine } = house;
  const front = createFront({ config, dashboardPort: () => doors.dashboard?.port });
  const exposition = expositionFor(house, store, meters);
  const mounting = { ...house, front, meters, exposition, identify: instances.identify };
  const mcp = mcpHandler({
    services,
    toolSet: config.mcpTools,
    endpoints: (host) => ({ api: apiFor(doors.api, host), dashboard: urlOf(doors.dashboard) ?? "" }),
    version,
    meter(bytes, { instanceId }) {
      house.ledger.mcp(bytes);
      if (instanceId !== undefined) house.agents.count(instanceId, { mcp_calls: 1, bytes });
    },
    notes: {
      refusal: house.refusals.note,
      named: (instanceId) => house.agents.count(instanceId, { mcp_calls: 1 }),
      violations: (instanceId, violations) => house.agents.count(instanceId, { violations }),
      refused: house.agents.refused,
    },
    ...(options.extraTools && { extraTools: options.extraTools }),
  });

  const sessions = config.authToken ? createSessions({ isToken: front.isToken, now }) : undefined;
  // Its calls are a person's, so they are in books of their own, which nobody reads.
  const onDashboard = { ...mounting, ...dashboardDoor(front, sessions), ledger: createLedger() };
  const websocket = sockets.handler;
  try {
    const routes = { ...mountApi(mounting), "/mcp": mountMcp(mcp, mounting) };
    const cors = createCors({ ...config, front, meters });
    doors.api = listen(config.bind, { routes, front, gate, meters, websocket, cors });
    if (config.dashboardBind) {
      const pages = {
        ...mountApi(onDashboard),
        ...dashboardRoutes({ front, sessions, changes: () => feeds.changes.place({}) }),
      };
      doors.dashboard = listen(config.dashboardBind, { routes: pages, front, gate, meters, websocket });
    }
  } catch (error) {
    await store.close();
    throw error;
  }
  const { api, dashboard } = doors;
  house.dispatcher.round().catch((error: unknown) => log.warn("webhooks wait: {error}", { error }));
  const jobs = startJobs(jobsOf({ store, config, ...house }), store.takeTurn);
  log.info("listening on {api}, dashboard {dashboard}, MCP {mcp}, data in {data}", {
    api: urlOf(api),
    mcp: `${urlOf(api)}/mcp`,
    dashboard: urlOf(dashboard) ?? "off",
    data: config.database ? nameOfDatabase(config.database) : resolve(config.dataDir),
  });

  return {
    url: urlOf(api) as string,
    dashboardUrl: urlOf(dashboard),
    followers: () => ({
      subscriptions: feeds.events.subscriptions + feeds.changes.subscriptions,
      waiting: room.waiting,
      bufferedBytes: sockets.bufferedBytes() + streams.bufferedBytes(),
    }),
    async close() {
      const servers = [api, dashboard].filter((server) => server !== undefined);
      for (const server of servers) void server.stop(false);
      sockets.close();
      streams.close();
      room.close();
      leases.close();
      await finished(servers);
      await Promise.all(servers.map((server) => server.stop(true)));
      await jobs.stop();
      await house.dispatcher.stop();
      feeds.events.close();
      feeds.changes.close();
      house.webhookFeed.close();
      await mcp.close();
      await engine.close();
      await documents.close();
      await contractEngine.close();
      await instances.flush();
      await house.agents.flush();
      await store.close();
      log.info("stopped");
    },
  };
}

/** Every noun's service over one store, and what they share. */
function furnish(
  store: Store,
  config: Config,
  now: () => number,
  doors: Doors,
  meters: Meters,
  options: ServerOptions & { prices: Prices },
) {
  const log = getLogger(["koor", "server"]);
  const engine = openRuleEngine();
  const documents = openDocuments();
  const contractEngine = openContractEngine();
  const ledger = createLedger();
  const agents = countAgents(store);
  const warn = (what: string) => (error: unknown) => log.warn(`${what}: {error}`, { error });
  const feedOf = (followed: Log) =>
    createFeed({ log: followed, now, onError: warn("a log cannot be read now") });
  const feeds = { events: feedOf(eventLog(store)), changes: feedOf(changeLog(store)) };
  const room = openWaitingRoom();
  const waitForVersion = versionWaits({ store, feed: feeds.changes, room });
  const webhookFeed = feedOf(afterAnswers(eventLog(store, payloadOf)));
  const webhooks = webhooksOver(store, webhookFeed, config, options);
  const values = { store, documents, waitForVersion, strictWrites: config.strictWrites };
  const specs = specGate(store, contractEngine);
  const leases = leaseService({ store, now, newId: randomUUID, timer: sleep });
  const gate = createGate({
    onClose() {
      room.clear();
      leases.endWaits();
    },
  });
  const instances = instanceService({ store, now, newId: randomUUID, endAllOf: leases.endAllOf });
  const { strictWrites } = config;
  const rules = ruleService({ store, engine, now, strictWrites });
  const judge = contractJudge(store, contractEngine);
  const compliance = complianceService({ store, judge, activeInstances: instances.active });
  const binds = () => ({ api: bindOf(doors.api), dashboard: bindOf(doors.dashboard) });
  const refusals = createRefusals({ store, onError: warn("a refusal could not be written to the audit") });
  const services: Services = {
    metrics: metricsService({ store, ledger, agents, version, now, binds }),
    state: stateService(values),
    specs: specService({ ...values, gate: specs, now }),
    txn: txnService({ ...values, gate: specs }),
    rules,
    contracts: contractService({
      store,
      engine: contractEngine,
      targets: config.contractTargets,
      resolve: resolveHost,
    }),
    compliance,
    templates: templateService({
      store,
      strictWrites,
      gate: specs,
      isContract: contractTest(contractEngine),
      importRules: rules.importInto,
    }),
    events: { ...eventService(store), next: pollOf(feeds.events, room) },
    changes: { next: pollOf(feeds.changes, room) },
    instances,
    leases,
    audit: auditService(store, refusals),
    webhooks: webhooks.service,
    llm: llmService({ store, prices: options.prices, onError: warn("a budget could not be looked at") }),
    backup: backupService({ store, directory: config.dataDir, now, alone: gate.alone }),
  };
  const following = { now, most: options.followers, onSlow: meters.slowReader };
  const { sockets, streams } = openFollowers(store, following, [...Object.values(feeds), webhookFeed]);
  return {
    services,
    gate,
    instances,
    leases,
    compliance,
    sockets,
    streams,
    feeds,
    room,
    engine,
    documents,
    contractEngine,
    dispatcher: webhooks.dispatcher,
    isOwnDelivery: webhooks.isOwnDelivery,
    webhookFeed,
    ledger,
    agents,
    refusals,
  };
}

/** Who follows by a connection of their own; a store that was replaced is another one for them, too. */
function openFollowers(store: Store, following: FollowersOptions, feeds: readonly Feed[]) {
  const sockets = createSockets(following);
  const streams = createEventStreams(following);
  store.onReplaced(() => {
    sockets.replaced();
    streams.replaced();
    for (const feed of feeds) feed.reset();
  });
  return { sockets, streams };
}

function webhooksOver(store: Store, feed: Feed, config: Config, options: ServerOptions) {
  return openWebhooks({
    store,
    feed,
    policy: publicOr(config.webhookAllow, isAlone(config)),
    resolve: resolveHost,
    now: store.now,
    newId: randomUUID,
    random: Math.random,
    alone: config.database === "",
    ...options.webhooks,
  });
}

/** Whether nobody but this machine reaches the API: the dashboard's port leads to it, too. */
function isAlone({ bind, dashboardBind }: Config): boolean {
  return isLoopback(bind.host) && (!dashboardBind || isLoopback(dashboardBind.host));
}

/** What `GET /metrics` says. */
function expositionFor(house: ReturnType<typeof furnish>, store: Store, meters: Meters) {
  const { ledger, feeds, webhookFeed, room, sockets, streams, refusals, dispatcher } = house;
  return expositionOf({
    store,
    ledger,
    meters,
    version,
    now: store.now,
    feeds: { ...feeds, webhooks: webhookFeed },
    waiting: () => room.waiting,
    bufferedBytes: () => sockets.bufferedBytes() + streams.bufferedBytes(),
    strangers: () => refusals.strangers,
    webhooks: dispatcher.figures,
    memoryBytes: () => process.memoryUsage.rss(),
  });
}

/** Wakes once, later; who stops does not wait for it. */
function sleep(ms: number, wake: () => void): () => void {
  const timer = setTimeout(wake, ms);
  timer.unref();
  return () => clearTimeout(timer);
}
