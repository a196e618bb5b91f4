import { getLogger } from "@logtape/logtape";
import { type Config, showAddress } from "./config.ts";
import { openPostgres } from "./store/postgres/open.ts";
import { openSqlite } from "./store/sqlite/open.ts";
import type { BatchFigures, Store } from "./store/store.ts";

/**
 * Opens the engine that the configuration names. The only place that knows the adapters.
 *
 * @param now stands in for the engine's clock, in tests
 * @param onBatch told of each transaction
 */
export function openStore(
  config: Config,
  now: (() => number) | undefined,
  onBatch: (batch: BatchFigures) => void,
): Promise<Store> {
  const { database, databaseListen, dataDir, bind } = config;
  if (!database) {
    const owner = `process ${process.pid} (API on ${showAddress(bind)})`;
    return openSqlite({ directory: dataDir, now: now ?? Date.now, owner, onBatch });
  }
  const log = getLogger(["koor", "database"]);
  return openPostgres({
    url: database,
    ...(databaseListen && { listenUrl: databaseListen }),
    ...(now && { now }),
    onBatch,
    onError: (error) => log.warn("{error}", { error: (error as Error).message }),
  });
}

/** Where it is, without who we are there. */
export function nameOfDatabase(database: string): string {
  const { protocol, host, pathname } = new URL(database);
  return `${protocol}//${host}${pathname}`;
}
