import pg from "pg";
import { type Pool, ask, connectionOptions, goodbyeMs, hangUp, isPooled, processOf } from "./database.ts";
import { readHeads } from "../heads.ts";
import type { Heads } from "../../core/commit.ts";
import { identitySql } from "./schema.ts";
import { clockSql, headsSql } from "./stand.ts";
import type { Newest } from "../store.ts";

/** How often the heads are looked at, in milliseconds: what a server that hears no notification is late by at most. */
const pollMs = 1000;
const channel = "koor";

const deaf =
  "--database leads through a pooler: this server hears of what others commit up to a second later. " +
  "--database-listen (KOOR_DATABASE_LISTEN) names a way around it; the same URL when it keeps a session for each client";

/** Where the store stands: a commit that leaves no row in a log still has a revision. */
type Stand = Newest & Pick<Heads, "revision">;

export interface Hints {
  /** This server committed: its own listeners are told at once, the other servers after it. */
  committed(heads: Stand): void;
  watch(listener: (newest: Newest) => void): () => void;
  /** Somebody could not read a log: all are told once more, since what failed to read it waits for a hint. */
  missed(): void;
  /** Calls back when the epoch is another one: a backup was restored, by whichever server. */
  onReplaced(listener: () => void): () => void;
  /** This server restored a backup: looks, and tells everybody. */
  replaced(): Promise<void>;
  close(): Promise<void>;
}

export interface HintsOptions {
  pool: Pool;
  url: string;
  /** Where LISTEN works, said by somebody who knows; without, it is not tried through a pooler. */
  listenUrl?: string | undefined;
  /** Told what the database's clock says, with each look. */
  onClock: (now: number) => void;
  onError: (error: unknown) => void;
}

/**
 * Wake-ups. They carry nothing: whoever is woken reads the log. `NOTIFY` goes out after the commit, and one at a time:
 * within the transaction it would take a lock of the whole database (src/backend/commands/async.c). Where it does not
 * come through, the heads are looked at once a second.
 */
export function openHints({ pool, url, listenUrl, onClock, onError }: HintsOptions): Hints {
  const listeners = new Set<(newest: Newest) => void>();
  const onReplaced = new Set<() => void>();
  let newest: Stand = { events: 0, audit: 0, revision: 0 };
  let epoch: string | undefined;
  let away = false;
  let missed = false;
  let closed = false;

  function tell(heads: Stand, always = false): void {
    const moved = heads.revision > newest.revision;
    newest = {
      events: Math.max(newest.events, heads.events),
      audit: Math.max(newest.audit, heads.audit),
      revision: Math.max(newest.revision, heads.revision),
    };
    if (moved || always) for (const listener of listeners) listener(newest);
  }

  function noticeEpoch(now: string): void {
    const replaced = epoch !== undefined && epoch !== now;
    epoch = now;
    if (!replaced) return;
    newest = { events: 0, audit: 0, revision: 0 };
    for (const listener of onReplaced) listener();
  }

  // A hint that gets lost is no matter: the others look by themselves.
  const notify = coalesce(() => ask(ear.mouth() ?? pool, `notify ${channel}`).catch(() => {}));

  const look = coalesce(async () => {
    if (closed) return;
    // Who was reading when the database went away waits for the next hint: there is one when it is back.
    const always = away || missed;
    missed = false;
    try {
      const { rows } = await ask(
        pool,
        `select epoch || (${identitySql}) as epoch, ${headsSql} as heads, ${clockSql} as now from koor.heads where id = 1`,
      );
      onClock(Number(rows[0]?.["now"]));
      noticeEpoch(rows[0]?.["epoch"] as string);
      if (!closed) tell(readHeads(rows[0]?.["heads"] as string), always);
      away = false;
    } catch (error) {
      if (!away && !closed) onError(error);
      away = true;
    }
  });

  void look();
  const timer = setInterval(() => void look(), pollMs);
  const ear = listen(listenUrl ?? url, listenUrl !== undefined, () => void look(), onError);

  return {
    committed(heads) {
      tell(heads);
      void notify();
    },
    watch(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    missed() {
      missed = true;
    },
    onReplaced(listener) {
      onReplaced.add(listener);
      return () => onReplaced.delete(listener);
    },
    async replaced() {
      await look();
      void notify();
    },
    async close() {
      // What was committed last the others hear at once, if the database answers.
      const late = Promise.withResolvers<void>();
      const patience = setTimeout(late.resolve, goodbyeMs);
      await Promise.race([notify(), late.promise]);
      clearTimeout(patience);
      closed = true;
      clearInterval(timer);
      await ear.close();
      await look();
    },
  };
}

/** Runs once more after the run under way, however often it is asked meanwhile. */
function coalesce(run: () => Promise<unknown>): () => Promise<void> {
  let running: Promise<void> | undefined;
  let again = false;
  return () => {
    again = true;
    running ??= (async () => {
      while (again) {
        again = false;
        await run();
      }
      running = undefined;
    })();
    return running;
  };
}

/** Hears notifications, across breaks: a connection that is lost is made anew, at the pace of the looks. */
function listen(url: string, certain: boolean, heard: () => void, onError: (error: unknown) => void) {
  let client: pg.Client | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let complained = false;
  let closed = false;

  /** The client, while it listens. */
  let listening: pg.Client | undefined;

  async function open(): Promise<void> {
    const opened = new pg.Client(connectionOptions(url));
    client = opened;
    const retry = (error?: Error) => {
      if (closed || client !== opened) return;
      client = undefined;
      listening = undefined;
      void hangUp(opened);
      if (error && !complained) onError(error);
      complained = true;
      timer = setTimeout(() => void open(), pollMs);
    };
    opened.on("error", retry);
    opened.on("end", () => retry());
    let own: number | undefined;
    opened.on("notification", ({ processId }) => {
      if (processId !== own) heard();
    });
    try {
      await opened.connect();
      if (!certain && (await isPooled(opened))) {
        client = undefined;
        await hangUp(opened);
        onError(new Error(deaf));
        return;
      }
      own = await processOf(opened);
      await opened.query(`listen ${channel}`);
      listening = opened;
      complained = false;
    } catch (error) {
      retry(error as Error);
    }
  }

  const opening = open();
  return {
    /** Where to speak, if possible: what is said there is not heard by oneself. */
    mouth: () => listening,
    async close(): Promise<void> {
      closed = true;
      listening = undefined;
      clearTimeout(timer);
      await opening;
      if (client) await hangUp(client);
    },
  };
}
