import { KoorError } from "../../contract/errors.ts";
import type { DumpRow } from "../../core/dump.ts";
import { translateError } from "./database.ts";
import type { RestoreReply, RestoreRequest } from "./restore.worker.ts";

/** Rows handed to the worker in one message; it says when it has them, so no more than one is under way. */
const restoreRows = 500;
/** Bytes of values and data in one message: one large value, or many small ones. */
const restoreBytes = 4 * 1024 * 1024;

export interface Replacement {
  file: string;
  rows: AsyncIterable<DumpRow>;
  /** Who asked for it; for the audit. */
  by: string;
  now: () => number;
  epoch: string;
}

/** Replaces all that a database holds by a dump's rows. @throws what went wrong; then nothing was changed */
export async function restoreSqlite({ file, rows, by, now, epoch }: Replacement): Promise<void> {
  const worker = new Worker(new URL("./restore.worker.ts", import.meta.url).href);
  const ask = asking(worker);
  try {
    await ask({ kind: "begin", file });
    try {
      for await (const page of pages(rows)) await ask({ kind: "rows", rows: page });
      await ask({ kind: "commit", by, now: now(), epoch });
    } catch (error) {
      await ask({ kind: "rollback" });
      throw error;
    }
  } finally {
    worker.terminate();
  }
}

async function* pages(rows: AsyncIterable<DumpRow>): AsyncGenerator<DumpRow[]> {
  let page: DumpRow[] = [];
  let bytes = 0;
  for await (const row of rows) {
    page.push(row);
    if (row.kind === "version") bytes += row.version.value.length;
    if (row.kind === "event") bytes += row.event.data.length;
    if (page.length < restoreRows && bytes < restoreBytes) continue;
    yield page;
    page = [];
    bytes = 0;
  }
  yield page;
}

/** One question at a time. A worker that dies takes its transaction along. */
function asking(worker: Worker): (request: RestoreRequest) => Promise<void> {
  let answer: PromiseWithResolvers<void> | undefined;
  let fault: Error | undefined;
  worker.onmessage = ({ data }: MessageEvent<RestoreReply>) => {
    if (data.ok) answer?.resolve();
    else answer?.reject(faultOf(data));
  };
  worker.onerror = (event) => {
    fault = new Error(`the restoring worker died: ${event.message}`);
    answer?.reject(fault);
  };
  return (request) => {
    if (fault) return Promise.reject(fault);
    answer = Promise.withResolvers();
    worker.postMessage(request);
    return answer.promise;
  };
}

/** What the dump is at fault for, its reader is told. */
function faultOf({ message, code }: { message: string; code: string }): unknown {
  if (code === "DUMP" || code.startsWith("SQLITE_CONSTRAINT")) {
    return new KoorError("bad_request", `the backup contradicts itself: ${message}`, {
      path: "body",
      hint: "Nothing was changed. Make a new backup, or take another one.",
    });
  }
  return translateError(Object.assign(new Error(message), { code }));
}
