import type { Collection, Commit, Outcome } from "../../core/commit.ts";
import type { Retention } from "../../core/retention.ts";
import type { MetricRow } from "../../core/usage.ts";
import { groupCommit } from "../group-commit.ts";
import { translateError } from "./database.ts";
import type { TrimBite } from "./trim.ts";
import { SqliteWriter } from "./writer.ts";
import type { BatchFigures, Newest } from "../store.ts";
import {
  type Answer,
  type PackedCommit,
  type WriterReply,
  packError,
  unpackCommit,
} from "./writer-messages.ts";

/** The worker that holds the writing connection, and gathers the commits that come while its disk works. */

export type WriterRequest =
  | { kind: "open"; file: string; synchronous: "FULL" | "NORMAL"; batchCommits: number | undefined }
  | ({ kind: "commit"; /** Milliseconds since 1970. */ now: number } & PackedCommit)
  | { kind: "touch"; collection: Collection; times: ReadonlyMap<string, number> }
  | { kind: "addMetrics"; rows: readonly MetricRow[] }
  | { kind: "trimMetrics"; before: string }
  | { kind: "dropExpired"; collection: Collection; at: number }
  | { kind: "trimEvents"; keep: number }
  | { kind: "trimHistory"; retention: Retention; at: number }
  | { kind: "close" };

export interface WriterResults {
  open: null;
  /** Commits are answered by themselves, many in one reply. */
  commit: never;
  touch: null;
  addMetrics: null;
  trimMetrics: number;
  dropExpired: number;
  trimEvents: number;
  trimHistory: TrimBite;
  close: null;
}

declare const self: Worker;

function reply(content: WriterReply): void {
  self.postMessage(JSON.stringify(content));
}

let writer: SqliteWriter | undefined;
let committer: ReturnType<typeof groupCommit> | undefined;
/** When the latest commit came. */
let now = 0;
/** Where the logs end since the answers that were not given yet. */
let newest: Newest | undefined;
let answers: Answer[] = [];
/** Transactions that were not told yet. */
let batches: BatchFigures[] = [];

/** All messages that are here are handled before it: after it, all commits that came meanwhile are in the queue. */
const turn = () => new Promise<void>((resolve) => void setImmediate(resolve));

async function transact(batch: Commit[]): Promise<Outcome[]> {
  // Nobody waits for a transaction that is not theirs.
  giveAnswers();
  try {
    const began = performance.now();
    const written = opened().transact(batch, now);
    const ms = performance.now() - began;
    batches.push({ commits: batch.length, ms, syncMs: written.syncMs });
    newest = written.newest;
    return written.outcomes;
  } catch (error) {
    throw translateError(error);
  }
}

function opened(): SqliteWriter {
  if (!writer) throw new Error("the writer is not open");
  return writer;
}

/** The answers to a batch come one after the other without a pause: they go out together. */
function answer(content: Answer): void {
  answers.push(content);
  if (answers.length === 1) queueMicrotask(giveAnswers);
}

function giveAnswers(): void {
  if (answers.length === 0) return;
  reply({ answers, batches, ...(newest && { newest }) });
  answers = [];
  batches = [];
  newest = undefined;
}

function open(file: string, synchronous: "FULL" | "NORMAL", batchCommits: number | undefined): null {
  writer = new SqliteWriter(file, synchronous);
  committer = groupCommit(transact, { turn, most: batchCommits });
  return null;
}

function perform(request: Exclude<WriterRequest, { kind: "commit" }>): unknown {
  switch (request.kind) {
    case "open":
      return open(request.file, request.synchronous, request.batchCommits);
    case "touch":
      opened().touch(request.collection, request.times);
      return null;
    case "addMetrics":
      opened().addMetrics(request.rows);
      return null;
    case "trimMetrics":
      return opened().trimMetrics(request.before);
    case "dropExpired":
      return opened().dropExpired(request.collection, request.at);
    case "trimEvents":
      return opened().trimEvents(request.keep);
    case "trimHistory":
      return opened().trimHistory(request.retention, request.at);
    case "close":
      opened().close();
      return null;
  }
}

self.onmessage = ({ data }: MessageEvent<WriterRequest>) => {
  if (data.kind === "commit") {
    now = data.now;
    committer?.add(unpackCommit(data), {
      resolve: (outcome) => answer({ outcome }),
      reject: (error) => answer({ fault: packError(error) }),
    });
    return;
  }
  try {
    reply({ result: perform(data) });
  } catch (error) {
    reply({ fault: packError(translateError(error)) });
  }
};
