import type { StoredRecord } from "../core/commit.ts";
import { type Lane, type LaneHouse, openLane } from "./lane.ts";
import { readPlace, readRetries, readWebhook } from "./webhook.ts";

/** How long deliveries that are under way may take when a lane closes, in milliseconds. */
const closeWithin = 3_000;

/** The lanes of all webhooks. */
export interface Lanes {
  readonly open: ReadonlyMap<string, Lane>;
  /** Opens one for each that has none, and closes those of what is another one now. */
  serve(): Promise<void>;
  closeAll(): Promise<void>;
}

export function openLanes(house: LaneHouse): Lanes {
  const { store } = house;
  const open = new Map<string, Lane>();

  async function close(id: string, lane: Lane): Promise<void> {
    open.delete(id);
    const timer = setTimeout(lane.cut, closeWithin);
    await lane.stop();
    clearTimeout(timer);
  }

  async function start(record: StoredRecord): Promise<void> {
    const webhook = readWebhook(record);
    const position = await store.get("webhook_positions", webhook.uid);
    // Deleted since it was listed.
    if (!position) return;
    const retries = await readRetries(store, webhook.uid);
    const { key: id, version } = record;
    open.set(id, openLane(house, { id, version, webhook, place: readPlace(position), retries }));
  }

  return {
    open,
    async serve() {
      const records = await store.listValues("webhooks");
      const versions = new Map(records.map(({ key, version }) => [key, version]));
      const over = [...open].filter(([id, lane]) => versions.get(id) !== lane.version);
      await Promise.all(over.map(([id, lane]) => close(id, lane)));
      for (const record of records) if (!open.has(record.key)) await start(record);
    },
    async closeAll() {
      await Promise.all([...open].map(([id, lane]) => close(id, lane)));
    },
  };
}
