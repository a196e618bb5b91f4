import type { StoredRecord } from "../core/commit.ts";
import { type Lane, type LaneHouse, openLane } from "./lane.ts";
import { readPlace, readRetries, readWebhook } from "./webhook.ts";

/** How long deliveries that are under way may take when a webhook is deleted, or the server stops, in milliseconds. */
const closeWithin = 3_000;

/** The lanes of all webhooks. */
export interface Lanes {
  readonly open: ReadonlyMap<string, Lane>;
  /**
   * Opens one for each that has none, and closes those of what is another one now. What is under way in these comes to
   * its end, for which nobody else waits: the next lane of the webhook is opened after that.
   */
  serve(): Promise<void>;
  closeAll(): Promise<void>;
  /** Ends all that is under way: it means nothing. */
  cut(): void;
}

export function openLanes(house: LaneHouse): Lanes {
  const { store } = house;
  const open = new Map<string, Lane>();
  const closing = new Map<string, { lane: Lane; closed: Promise<void> }>();

  async function close(id: string, lane: Lane): Promise<void> {
    await lane.stop();
    closing.delete(id);
    house.onVoid();
  }

  function beginClosing(id: string, lane: Lane): void {
    open.delete(id);
    closing.set(id, { lane, closed: close(id, lane) });
  }

  function cutLater(lanes: Iterable<{ lane: Lane; closed: Promise<void> }>): Promise<unknown> {
    const some = [...lanes];
    const timer = setTimeout(() => {
      for (const { lane } of some) lane.cut();
    }, closeWithin);
    return Promise.all(some.map(({ closed }) => closed)).finally(() => clearTimeout(timer));
  }

  async function start(record: StoredRecord): Promise<void> {
    const webhook = readWebhook(record);
    const position = await store.get("webhook_positions", webhook.uid);
    // Deleted since it was listed.
    if (!position) return;
    const retries = await readRetries(store, webhook.uid);
    const { key: id, version } = record;
    const place = readPlace(position);
    open.set(id, openLane(house, { id, version, webhook, place, placeVersion: position.version, retries }));
  }

  return {
    open,
    async serve() {
      const records = await store.listValues("webhooks");
      const versions = new Map(records.map(({ key, version }) => [key, version]));
      for (const [id, lane] of open)
        if (lane.ending || versions.get(id) !== lane.version) beginClosing(id, lane);
      void cutLater([...closing].filter(([id]) => !versions.has(id)).map(([, one]) => one));
      for (const record of records)
        if (!open.has(record.key) && !closing.has(record.key)) await start(record);
    },
    async closeAll() {
      for (const [id, lane] of open) beginClosing(id, lane);
      await cutLater(closing.values());
    },
    cut() {
      for (const lane of open.values()) lane.cut();
      for (const { lane } of closing.values()) lane.cut();
    },
  };
}
