import assert from "node:assert/strict";
import type { Random } from "./random.ts";
import { type StoreContents, versionsOf } from "./store-contents.ts";

/** What a server answered with a success, and so may never lose. */
export interface Ledger {
  puts: Put[];
  /** How many deletes of each key. */
  deletes: Map<string, number>;
  events: { id: number; data: string }[];
}

export interface Put {
  key: string;
  version: number;
  /** Undefined where only the answer was seen, not the request. */
  value: string | undefined;
}

export function emptyLedger(): Ledger {
  return { puts: [], deletes: new Map(), events: [] };
}

export interface LoadOptions {
  url: string;
  random: Random;
  clients: number;
  /** Makes the values of this run differ from those of all others. */
  run: string;
  /** Values have up to this many characters. */
  valueCharacters: number;
  ledger: Ledger;
  /** What to do with an answer that is no success; without it the client ends. True: go on. */
  onRefusal?: (status: number) => boolean;
}

/** Keys that every client writes, so that their writes meet. */
const sharedKeys = ["shared/a", "shared/b"];

/**
 * Clients that write, delete and publish, each one thing after the other, until the server is gone or `stop` is called.
 * Resolves when all have ended.
 */
export function startLoad(options: LoadOptions): { done: Promise<unknown>; stop(): void } {
  let stopped = false;
  const clients = Array.from({ length: options.clients }, (_, number) =>
    runClient(options, number, () => stopped),
  );
  return { done: Promise.all(clients), stop: () => (stopped = true) };
}

async function runClient(options: LoadOptions, number: number, stopped: () => boolean): Promise<void> {
  const random = options.random.fork(`client ${number}`);
  const known = new Map<string, number>();
  for (let n = 0; !stopped(); n++) {
    const mark = `${options.run}/${number}/${n}`;
    const own = `own/${number}/${random.below(3)}`;
    const choice = random.next();
    const step =
      choice < 0.5
        ? put(options, own, filled(mark, random.below(options.valueCharacters)))
        : choice < 0.65
          ? put(options, random.pick(sharedKeys), mark, known)
          : choice < 0.75
            ? remove(options, own)
            : publish(options, mark);
    const status = await step.catch(() => 0);
    const expected = status === 200 || status === 404 || status === 412;
    if (!expected && !(options.onRefusal?.(status) ?? false)) return;
  }
}

function filled(mark: string, characters: number): string {
  return `${mark} `.padEnd(characters, "abcdefghij");
}

/** @param known under condition of the version last seen, in turns with none */
async function put(
  options: LoadOptions,
  key: string,
  value: string,
  known?: Map<string, number>,
): Promise<number> {
  const version = known?.get(key);
  const headers = version === undefined ? {} : { "X-Koor-If-Version": String(version) };
  const answer = await fetch(`${options.url}/api/state/${key}`, { method: "PUT", body: value, headers });
  const body = (await answer.json()) as { version: number; current?: number };
  if (answer.status === 200) {
    options.ledger.puts.push({ key, version: body.version, value });
    known?.set(key, body.version);
  } else known?.delete(key);
  return answer.status;
}

async function remove({ url, ledger }: LoadOptions, key: string): Promise<number> {
  const answer = await fetch(`${url}/api/state/${key}`, { method: "DELETE" });
  await answer.text();
  if (answer.status === 200) ledger.deletes.set(key, (ledger.deletes.get(key) ?? 0) + 1);
  return answer.status;
}

async function publish({ url, ledger }: LoadOptions, mark: string): Promise<number> {
  const body = JSON.stringify({ topic: "load", data: mark });
  const answer = await fetch(`${url}/api/events/publish`, { method: "POST", body });
  const event = (await answer.json()) as { id: number };
  if (answer.status === 200) ledger.events.push({ id: event.id, data: JSON.stringify(mark) });
  return answer.status;
}

/**
 * Holds a store against what was acknowledged. More may be there: a write whose answer never arrived may have been made.
 * @throws AssertionError that names what is lost, or was given to two
 */
export function assertKept(ledger: Ledger, contents: StoreContents): void {
  const givenOnce = new Set<string>();
  const decoder = new TextDecoder();
  for (const { key, version, value } of ledger.puts) {
    const name = `${key}@${version}`;
    assert.ok(!givenOnce.has(name), `${name} was given to two writes`);
    givenOnce.add(name);
    const kept = versionsOf(contents, "state", key).find((entry) => entry.version === version);
    assert.ok(kept, `${name} was acknowledged and is lost`);
    if (value === undefined) continue;
    assert.equal(decoder.decode(kept.value), value, `${name} holds something else than was acknowledged`);
  }
  for (const [key, count] of ledger.deletes) {
    const tombstones = versionsOf(contents, "state", key).filter(({ deleted }) => deleted).length;
    assert.ok(tombstones >= count, `${key}: ${count} deletes were acknowledged, ${tombstones} are kept`);
  }
  const data = new Map(contents.events.map((event) => [event.id, event.data]));
  const ids = new Set<number>();
  for (const event of ledger.events) {
    assert.ok(!ids.has(event.id), `event ${event.id} was given to two publishers`);
    ids.add(event.id);
    assert.equal(data.get(event.id), event.data, `event ${event.id} was acknowledged and is lost`);
  }
}
