import { ask, connect } from "./postgres-database.ts";
import { readHeads } from "./heads.ts";
import type { Sql } from "./postgres-database.ts";
import type { Newest } from "./store.ts";

/** How often the heads are looked at, in milliseconds: what a server that hears no notification is late by at most. */
const pollMs = 1000;
const channel = "koor";

export interface Hints {
  /** This server committed: its own listeners are told at once, the other servers after it. */
  committed(newest: Newest): void;
  watch(listener: (newest: Newest) => void): () => void;
  close(): Promise<void>;
}

export interface HintsOptions {
  sql: Sql;
  /** A connection that is not behind a pooler in transaction mode, where LISTEN does not work. */
  listenUrl: string;
  onError: (error: unknown) => void;
}

/**
 * Wake-ups. They carry nothing: whoever is woken reads the log. `NOTIFY` goes out after the commit, and one at a time:
 * within the transaction it would take a lock of the whole database (src/backend/commands/async.c). Where it does not
 * come through, the heads are looked at once a second.
 */
export function openHints({ sql, listenUrl, onError }: HintsOptions): Hints {
  const listeners = new Set<(newest: Newest) => void>();
  let newest: Newest = { events: 0, audit: 0 };
  let notifying = false;
  let again = false;
  let away = false;
  let polling = Promise.resolve();
  let closed = false;

  function tell(heads: Newest, always = false): void {
    const moved = heads.events > newest.events || heads.audit > newest.audit;
    newest = { events: Math.max(newest.events, heads.events), audit: Math.max(newest.audit, heads.audit) };
    if (moved || always) for (const listener of listeners) listener(newest);
  }

  async function notify(): Promise<void> {
    again = true;
    if (notifying) return;
    notifying = true;
    try {
      while (again && !closed) {
        again = false;
        await ask(sql, `notify ${channel}`);
      }
    } catch {
      // A hint that got lost: the others look by themselves.
    } finally {
      notifying = false;
    }
  }

  async function look(): Promise<void> {
    try {
      const [row] = await ask(sql, "select heads from koor.heads where id = 1");
      if (row && !closed) tell(readHeads(row["heads"] as string), away);
      away = false;
    } catch (error) {
      if (!away && !closed) onError(error);
      // Subscribers who were reading then wait for the next hint: there will be one when the database is back.
      away = true;
    }
  }

  const lookSoon = () => {
    polling = polling.then(look);
  };
  const timer = setInterval(lookSoon, pollMs);
  const ear = connect(listenUrl, 1);
  const listening = ear.listen(channel, lookSoon).catch(onError);

  return {
    committed(heads) {
      tell(heads);
      void notify();
    },
    watch(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async close() {
      closed = true;
      clearInterval(timer);
      await polling;
      await listening;
      await ear.end({ timeout: 1 });
    },
  };
}
