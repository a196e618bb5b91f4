import type { Collection, Commit, Outcome } from "../core/commit.ts";
import type { Retention } from "../core/retention.ts";
import type { TrimBite } from "./sqlite-trim.ts";
import { SqliteWriter } from "./sqlite-writer.ts";
import type { Newest } from "./store.ts";

/** The worker that holds the writing connection: one message in, one message out, in order. */

export type WriterRequest =
  | { kind: "open"; file: string; synchronous: "FULL" | "NORMAL" }
  | { kind: "transact"; batch: Commit[]; now: number }
  | { kind: "touch"; collection: Collection; times: ReadonlyMap<string, number> }
  | { kind: "dropExpired"; collection: Collection; at: number }
  | { kind: "trimEvents"; keep: number }
  | { kind: "trimHistory"; retention: Retention; at: number }
  | { kind: "close" };

export interface WriterResults {
  open: null;
  transact: { outcomes: Outcome[]; newest: Newest };
  touch: null;
  dropExpired: number;
  trimEvents: number;
  trimHistory: TrimBite;
  close: null;
}

export type WriterReply = { ok: true; result: unknown } | { ok: false; message: string; code: string };

let writer: SqliteWriter | undefined;

function perform(request: WriterRequest): unknown {
  if (request.kind === "open") {
    writer = new SqliteWriter(request.file, request.synchronous);
    return null;
  }
  if (!writer) throw new Error("the writer is not open");
  switch (request.kind) {
    case "transact":
      return writer.transact(request.batch, request.now);
    case "touch":
      writer.touch(request.collection, request.times);
      return null;
    case "dropExpired":
      return writer.dropExpired(request.collection, request.at);
    case "trimEvents":
      return writer.trimEvents(request.keep);
    case "trimHistory":
      return writer.trimHistory(request.retention, request.at);
    case "close":
      writer.close();
      return null;
  }
}

declare const self: Worker;

self.onmessage = ({ data }: MessageEvent<WriterRequest>) => {
  let reply: WriterReply;
  try {
    reply = { ok: true, result: perform(data) };
  } catch (error) {
    const { message, code } = error as { message: string; code?: string };
    reply = { ok: false, message, code: code ?? "" };
  }
  self.postMessage(reply);
};
