import { join } from "node:path";
import { KoorError } from "../contract/errors.ts";
import { showTime } from "../contract/fields.ts";
import type { Handlers } from "../contract/operation.ts";
import type { Store } from "../store/store.ts";
import type { backupOperations } from "./contract.ts";
import { readBackup, verifyBackup } from "./read.ts";
import { spool } from "./spool.ts";
import { streamOf } from "./stream.ts";
import { writeBackup } from "./write.ts";

/** Backups read at once: each holds a snapshot of the database open. */
const backupsAtOnce = 2;

export interface BackupOptions {
  store: Store;
  /** Where a backup that comes in is put until it is restored. */
  directory: string;
  /** Milliseconds since 1970. */
  now: () => number;
  /** Runs work while no other request is served. */
  alone: <T>(work: () => Promise<T>) => Promise<T>;
}

/** Everything out of the store, and everything back into it. */
export function backupService({
  store,
  directory,
  now,
  alone,
}: BackupOptions): Handlers<typeof backupOperations> {
  let reading = 0;
  let restoring = false;

  return {
    async create() {
      if (reading >= backupsAtOnce) throw busy(`${backupsAtOnce} backups are being read already`);
      reading += 1;
      const at = now();
      const stream = streamOf(writeBackup(store.dump(), at), () => (reading -= 1));
      return { stream, filename: `koor-${showTime(at).replaceAll(":", "")}.backup` };
    },

    async restore({ body, caller, signal }) {
      if (restoring) throw busy("a restore is under way already");
      restoring = true;
      try {
        const file = await spool(body, join(directory, "restore.part"));
        try {
          const read = () => whileThere(file.read(), signal);
          const counts = await verifyBackup(read());
          await alone(() => store.restore(readBackup(read()), caller.name));
          const { epoch, revision } = await store.heads();
          return { restored: true as const, epoch, revision, counts };
        } finally {
          await file.remove();
        }
      } finally {
        restoring = false;
      }
    },
  };
}

/** Breaks off when the caller has gone: nobody replaces everything who would not be told that it was done. */
async function* whileThere<Item>(items: AsyncIterable<Item>, caller?: AbortSignal): AsyncGenerator<Item> {
  for await (const item of items) {
    caller?.throwIfAborted();
    yield item;
  }
  caller?.throwIfAborted();
}

function busy(message: string): KoorError {
  return new KoorError("unavailable", message, { retryAfter: 5 });
}
