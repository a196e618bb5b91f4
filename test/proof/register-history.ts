import type { Random } from "./random.ts";
import type { Answer, Call, Operation } from "./register.ts";

/** Asks for a path of the API; what `fetch` does, or something worse in its place. */
export type Ask = (path: string, init?: RequestInit) => Promise<Response>;

export interface HistoryOptions {
  ask: Ask;
  random: Random;
  clients: number;
  /** How many operations each client makes, one after the other. */
  operations: number;
  keys: readonly string[];
  /** How often a client goes away before its answer came; each makes the history harder to judge. */
  hangUp: number;
}

/**
 * Lets clients read, write, compare-and-set and delete a few keys at the same time, and writes down what they called and
 * were answered. One process sees all of it, so that the moments are in one order without any clock.
 */
export async function recordHistories(options: HistoryOptions): Promise<Map<string, Operation[]>> {
  const histories = new Map<string, Operation[]>(options.keys.map((key) => [key, []]));
  let moment = 0;
  const client = async (number: number) => {
    const random = options.random.fork(`client ${number}`);
    const known = new Map<string, number>();
    for (let n = 0; n < options.operations; n++) {
      const key = random.pick(options.keys);
      const call = choose(random, `${number}/${n}`, known.get(key) ?? 0);
      const operation: Operation = { call, answer: undefined, calledAt: moment++, answeredAt: Infinity };
      histories.get(key)?.push(operation);
      const answer = await perform(
        options.ask,
        key,
        call,
        random.chance(options.hangUp) ? random.next() * 3 : undefined,
      );
      if (!answer) continue;
      operation.answer = answer;
      operation.answeredAt = moment++;
      if ("version" in answer) known.set(key, answer.version);
      if (answer.kind === "mismatch") known.set(key, answer.current);
    }
  };
  await Promise.all(Array.from({ length: options.clients }, (_, number) => client(number)));
  return histories;
}

/** @param known the version that the client last heard of */
function choose(random: Random, value: string, known: number): Call {
  const choice = random.next();
  if (choice < 0.45) return { kind: "read" };
  if (choice < 0.65) return { kind: "write", value };
  if (choice < 0.9) return { kind: "write", value, expected: known };
  return { kind: "delete" };
}

/** @param patience after how many milliseconds the client goes away */
async function perform(
  ask: Ask,
  key: string,
  call: Call,
  patience: number | undefined,
): Promise<Answer | undefined> {
  const path = `/api/state/${key}`;
  const signal = patience === undefined ? null : AbortSignal.timeout(patience);
  try {
    if (call.kind === "read") return await readAnswer(await ask(path, { signal }));
    if (call.kind === "delete") return await readAnswer(await ask(path, { signal, method: "DELETE" }));
    const headers = call.expected === undefined ? {} : { "X-Koor-If-Version": String(call.expected) };
    return await readAnswer(await ask(path, { signal, method: "PUT", body: call.value, headers }));
  } catch (error) {
    if (signal?.aborted) return undefined;
    throw error;
  }
}

async function readAnswer(response: Response): Promise<Answer | undefined> {
  const text = await response.text();
  // The database took too long: as with an answer that nobody saw, it may have been made.
  if (response.status === 503) return undefined;
  const stored = response.headers.get("x-koor-version");
  if (response.status === 200 && stored !== null)
    return { kind: "read", version: Number(stored), value: text };
  const body = JSON.parse(text) as { version?: number; deleted?: string; current?: number };
  if (response.status === 404) return { kind: "absent" };
  if (response.status === 412) return { kind: "mismatch", current: body.current ?? 0 };
  if (response.status === 200 && body.version !== undefined)
    return { kind: "written", version: body.version };
  if (response.status === 200 && body.deleted !== undefined) return { kind: "deleted" };
  throw new Error(`${response.status} ${text}`);
}
