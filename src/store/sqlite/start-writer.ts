import type { Commit, Outcome } from "../../core/commit.ts";
import { type Settle, batchBytes, batchCommits, bytesOf } from "../group-commit.ts";
import type { WriterRequest, WriterResults } from "./writer.worker.ts";
import type { BatchFigures, Newest } from "../store.ts";
import { type WriterReply, movedWith, packCommit, unpackError } from "./writer-messages.ts";

/** The writer's worker, as the event loop sees it. */
export interface Writer {
  /** Resolves when the commit is durable. */
  commit(commit: Commit): Promise<Outcome>;
  ask<R extends WriterRequest>(request: R): Promise<WriterResults[R["kind"]]>;
  /** Resolves when every commit that was accepted is answered. */
  idle(): Promise<void>;
  stop(): void;
}

export interface WriterOptions {
  /** Milliseconds since 1970. */
  now: () => number;
  /** Called before anybody hears of a reply: reads that follow must see what was written. */
  onReply: () => void;
  /** Called after commits were written and answered, with where the logs end. */
  onWritten: (newest: Newest) => void;
  /** Told of each transaction. */
  onBatch?: ((batch: BatchFigures) => void) | undefined;
}

/**
 * Starts the worker. Commits go there one by one as they come, and the worker gathers what came while its disk was
 * busy. Gathered on this side, the next batch had to wait until the event loop was through with the requests at hand:
 * at 32 connections the worker stood idle for 0.4 to 0.9 ms between batches of 1.9 ms, now for 0.3 ms. A ring in shared
 * memory instead of messages took 5 to 16% off the processor time of a PUT, but no more PUTs came through.
 *
 * Answers come in the order of the questions, so queues of promises are all the book-keeping.
 */
export function startWriter({ now, onReply, onWritten, onBatch }: WriterOptions): Writer {
  const worker = new Worker(new URL("./writer.worker.ts", import.meta.url).href);
  const commits: WaitingCommit[] = [];
  /** How many of the first of them are with the worker, and the bytes of their values. */
  let sent = 0;
  let sentBytes = 0;
  const asked: Settle<never>[] = [];
  let fault: Error | undefined;

  /** The worker has one batch at most before it: the rest waits here, where it is not stored twice. */
  function send(): void {
    for (; sent < commits.length && sent < batchCommits; sent++) {
      const { commit, bytes } = commits[sent] as WaitingCommit;
      if (sent > 0 && sentBytes + bytes > batchBytes) return;
      sentBytes += bytes;
      const packed = packCommit(commit);
      const request: WriterRequest = { kind: "commit", now: now(), ...packed };
      worker.postMessage(request, movedWith(packed));
    }
  }

  worker.onmessage = ({ data }: MessageEvent<string>) => {
    onReply();
    const reply = JSON.parse(data) as WriterReply;
    if (!("answers" in reply)) {
      const waiting = asked.shift();
      if ("fault" in reply) waiting?.reject(unpackError(reply.fault));
      else waiting?.resolve(reply.result as never);
      return;
    }
    const answered = commits.splice(0, reply.answers.length);
    for (const [index, answer] of reply.answers.entries()) {
      const waiting = answered[index] as WaitingCommit;
      sentBytes -= waiting.bytes;
      if ("outcome" in answer) waiting.resolve(answer.outcome);
      else waiting.reject(unpackError(answer.fault));
    }
    sent -= answered.length;
    if (onBatch) for (const batch of reply.batches ?? []) onBatch(batch);
    if (reply.newest) onWritten(reply.newest);
    send();
  };
  worker.onerror = (event) => {
    // A worker that dies takes the writing connection along: nothing that waits was acknowledged.
    fault = new Error(`the writer died: ${event.message}`);
    for (const waiting of [...commits.splice(0), ...asked.splice(0)]) waiting.reject(fault);
  };

  return {
    commit(commit) {
      if (fault) return Promise.reject(fault);
      const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
      commits.push({ commit, bytes: bytesOf(commit), promise, resolve, reject });
      send();
      return promise;
    },
    ask(request) {
      if (fault) return Promise.reject(fault);
      return new Promise((resolve, reject) => {
        asked.push({ resolve, reject });
        worker.postMessage(request);
      });
    },
    async idle() {
      for (let last = commits.at(-1); last; last = commits.at(-1)) await last.promise.catch(() => {});
    },
    stop: () => worker.terminate(),
  };
}

interface WaitingCommit extends Settle<Outcome> {
  commit: Commit;
  bytes: number;
  promise: Promise<Outcome>;
}
