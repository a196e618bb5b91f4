import type { Duplex } from "node:stream";
import pg from "pg";
import { KoorError } from "../../contract/errors.ts";

/** How long a connection may take to be made, in milliseconds: a caller who waits longer is better told so. */
const connectMs = 5000;

/**
 * How long one statement may take, in milliseconds: what takes longer is a database that is frozen or cut off, of which no
 * system tells for a quarter of an hour. Most statements take a millisecond; a server frozen while it commits holds others
 * up for two seconds.
 */
const answerMs = 10_000;

/** The same as the database measures it: it ends what nobody would wait for, which would go on else, and pile up. */
const statementMs = answerMs - 1000;

/**
 * How long the database lets a transaction of ours stand still before it ends it, in milliseconds. Whoever commits
 * holds the lock of commits: a server that is frozen there must not stop the others.
 */
const idleInTransactionMs = 2000;

/** How long the end of a connection waits for the database's, in milliseconds: from one that is frozen it never comes. */
export const goodbyeMs = 1000;

export type Row = Record<string, unknown>;
export type Pool = pg.Pool;
export type Connection = pg.ClientBase;

/**
 * What a connection needs. The client is node-postgres: of Bun's own (1.4.5) some answers never came after a hundred
 * connections had come and gone, and the `postgres` package (3.4.9) ended the process, or lost the next query, when the
 * database was killed in the middle of a transaction. No settings of the session's: a pooler refuses those of PostgreSQL.
 * It takes the weaker modes of TLS for `verify-full` and warns of that in ten lines; that is in docs/scaling.md.
 */
export function connectionOptions(url: string): pg.ClientConfig {
  return {
    connectionString: url.replace(/([?&]sslmode=)(prefer|require|verify-ca)(?=&|$)/, "$1verify-full"),
    application_name: "koor",
    connectionTimeoutMillis: connectMs,
    query_timeout: answerMs,
    keepAlive: true,
    // What is asked before the answer to the one before has come is sent at once.
    pipeline: true,
  };
}

/** What is known of a connection since it was made. */
interface Session {
  /** It leads through a pooler, which may give each transaction another session: nothing may be left behind in one. */
  isPooled: boolean;
  /** What a transaction begins with. */
  begin: string;
}

const sessions = new WeakMap<Connection, Session>();

/** The number of the database's process that a connection leads to; in a pooler another one for each transaction, perhaps. */
export async function processOf(connection: Connection): Promise<number | undefined> {
  const { rows } = await connection.query<{ pid: number }>("select pg_backend_pid() as pid");
  return rows[0]?.pid;
}

/** Whether a connection leads through a pooler: then the process that it was told of is none of the database's. */
export async function isPooled(connection: Connection): Promise<boolean> {
  return (await processOf(connection)) !== (connection as unknown as { processID: number }).processID;
}

const streamOf = (connection: Connection): Duplex =>
  (connection as unknown as { connection: { stream: Duplex } }).connection.stream;

/**
 * Lets what is written to a corked stream go out as one: the client sends a statement as five messages, and Bun's sockets
 * (1.4.5) would make a system call of each, and of a commit's statements some thirty.
 */
function gatherWrites(connection: Connection): void {
  const stream = streamOf(connection);
  const writeOne: Duplex["_write"] = Reflect.get(stream, "_write").bind(stream);
  const writeAll: Duplex["_writev"] = (chunks, done) =>
    writeOne(Buffer.concat(chunks.map(({ chunk }) => chunk as Buffer)), "buffer" as BufferEncoding, done);
  Reflect.set(stream, "_writev", writeAll);
}

/** Sends statements as one; their answers come one by one. */
function sendTogether<T>(connection: Connection, send: () => T): T {
  const stream = streamOf(connection);
  stream.cork();
  try {
    return send();
  } finally {
    stream.uncork();
  }
}

/**
 * Settings that others may have made for the role or the database would break promises: snapshots older than the head
 * row's lock, commits that are answered before they are on disk, an end of what takes its time.
 */
async function greet(connection: Connection, patient: boolean): Promise<void> {
  gatherWrites(connection);
  const timeout = `statement_timeout = ${patient ? 0 : statementMs}`;
  const pooled = await isPooled(connection);
  if (!pooled) await connection.query(`set ${timeout}`);
  const { rows } = await connection.query<Row>("show synchronous_commit");
  const local = [
    `idle_in_transaction_session_timeout = ${idleInTransactionMs}`,
    ...(pooled ? [timeout] : []),
    ...(rows[0]?.["synchronous_commit"] === "off" ? ["synchronous_commit = on"] : []),
  ];
  const begin = ["begin isolation level read committed", ...local.map((setting) => `set local ${setting}`)];
  sessions.set(connection, { isPooled: pooled, begin: begin.join("; ") });
}

/**
 * A pool of at most `max` connections; none is made before it is needed.
 * @param patient for statements that may take as long as they do
 */
export function connect(url: string, max: number, patient = false): Pool {
  const open = new Set<Connection>();
  const pool = new pg.Pool({
    ...connectionOptions(url),
    max,
    ...(patient && { query_timeout: 0 }),
    // It waits for this one, which its types do not know.
    onConnect(connection): unknown {
      open.add(connection);
      return greet(connection, patient).catch((error: unknown) => {
        open.delete(connection);
        throw error;
      });
    },
  });
  pool.on("remove", (connection) => void open.delete(connection));
  // An idle connection broke: the pool drops it, and whoever needs one next gets another.
  pool.on("error", () => {});
  connections.set(pool, open);
  return pool;
}

const connections = new WeakMap<Pool, ReadonlySet<Connection>>();

/** Ends a pool. What is still at work in it after a second is cut off: of that nothing will be acknowledged. */
export async function disconnect(pool: Pool): Promise<void> {
  await saying(
    () => pool.end(),
    () => connections.get(pool) ?? [],
  );
}

/** Ends a connection of its own, as `disconnect` a pool. */
export async function hangUp(client: pg.Client): Promise<void> {
  // It may have been broken already.
  await saying(
    () => client.end(),
    () => [client],
  ).catch(() => {});
}

async function saying(goodbye: () => Promise<void>, to: () => Iterable<Connection>): Promise<void> {
  const timer = setTimeout(() => {
    for (const connection of to()) streamOf(connection).destroy();
  }, goodbyeMs);
  await goodbye().finally(() => clearTimeout(timer));
}

/** One statement; on a connection of our own those with values are prepared once, under their own text as name. */
export async function ask(
  sql: Pool | Connection,
  text: string,
  values: readonly unknown[] = [],
): Promise<{ rows: Row[]; count: number }> {
  if (sql instanceof pg.Pool) return withConnection(sql, (connection) => ask(connection, text, values));
  const name = values.length > 0 && !sessions.get(sql)?.isPooled ? nameOf(text) : undefined;
  const { rows, rowCount } = await sql.query<Row>({ name, text, values: [...values] });
  return { rows, count: rowCount ?? 0 };
}

/** A connection of one's own until it is given back; one on which something failed is not used again. */
async function borrow(pool: Pool): Promise<{ connection: Connection; giveBack: (failure?: Error) => void }> {
  const connection = await pool.connect();
  // One that breaks meanwhile says so by the statement's own failure, too; that nobody listens would end the process.
  const ignore = () => {};
  connection.on("error", ignore);
  return {
    connection,
    giveBack(failure) {
      connection.removeListener("error", ignore);
      connection.release(failure);
    },
  };
}

async function withConnection<T>(pool: Pool, work: (connection: Connection) => Promise<T>): Promise<T> {
  const { connection, giveBack } = await borrow(pool);
  let failure: Error | undefined;
  try {
    return await work(connection);
  } catch (error) {
    failure = error as Error;
    throw error;
  } finally {
    giveBack(failure);
  }
}

/**
 * Reads piece by piece out of one snapshot, which lasts until the reader has all or leaves.
 * @param idleMs how long the reader may take between two pieces, in milliseconds; 0: as long as it does
 * @throws KoorError `unavailable` when the database goes away meanwhile
 */
export async function* inSnapshot<T>(
  pool: Pool,
  idleMs: number,
  read: (connection: Connection) => AsyncGenerator<T>,
): AsyncGenerator<T> {
  const { connection, giveBack } = await speaking(() => borrow(pool));
  let failure: Error | undefined;
  try {
    await ask(connection, "begin isolation level repeatable read read only");
    await ask(connection, `set local idle_in_transaction_session_timeout = ${idleMs}`);
    if (idleMs === 0) await ask(connection, "set local statement_timeout = 0");
    yield* read(connection);
  } catch (error) {
    failure = error as Error;
    throw translateError(error);
  } finally {
    if (!failure) await ask(connection, "rollback").catch((error: Error) => (failure = error));
    giveBack(failure);
  }
}

const names = new Map<string, string>();

/** Names of statements are cut at 63 bytes, so they are numbered. */
function nameOf(text: string): string {
  const name = names.get(text) ?? `koor-${names.size}`;
  names.set(text, name);
  return name;
}

/** Statement and values; without values it is not prepared, and may be several. */
export type Statement = readonly [text: string, values?: readonly unknown[]];

export interface Transaction {
  connection: Connection;
  /** What the first statements answered. */
  answers: Row[][];
  /** Sends one whose answer nobody needs, together with the commit: when it fails, so does the transaction. */
  send(text: string, values: readonly unknown[]): void;
}

/**
 * Runs work in a transaction, on a connection of its own. One that only sends takes two round trips: the first statements
 * go out with its begin, the last with its commit.
 */
export function inTransaction<T>(
  pool: Pool,
  first: readonly Statement[],
  work: (transaction: Transaction) => Promise<T>,
): Promise<T> {
  return withConnection(pool, async (connection) => {
    const { begin } = sessions.get(connection) as Session;
    const [, ...answers] = await sendTogether(connection, () =>
      Promise.all([[begin] as const, ...first].map(([text, values]) => ask(connection, text, values))),
    );
    const last: Statement[] = [];
    const result = await work({
      connection,
      answers: answers.map(({ rows }) => rows),
      send: (text, values) => void last.push([text, values]),
    });
    // After a failure this is a rollback, and says so.
    const [{ command }] = await sendTogether(connection, () => {
      const sent = last.map(([text, values]) => ask(connection, text, values));
      return Promise.all([connection.query("commit"), ...sent]);
    });
    if (command !== "COMMIT") throw new Error("the transaction was rolled back");
    return result;
  });
}

/**
 * SQLSTATEs after which nothing was committed and trying again makes sense (appendix A of PostgreSQL's manual): also when
 * it lets nobody in (28, 3D000) or is a standby (25006, 55000), which others put right while we run.
 */
const passing = /^(08|28|40|53[23]|55000|55P03|57014|57P0|3D000|25006|25P0)/;

/** What the client says when a statement takes too long. */
const silent = /query read timeout/i;

/** What the client and the system say when there is no connection, or not any more. */
const lost =
  /^(ECONN|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN|ENOENT|ERR_TLS|CERT_|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO)|connection terminated|timeout exceeded|not queryable|client was closed/i;

/** The engine's failures in Koor's words; what is none of them is a fault of the program and comes through as it is. */
export function translateError(error: unknown): unknown {
  const { code = "", message = "" } = (error ?? {}) as { code?: string; message?: string };
  if (code === "53100") {
    return new KoorError("out_of_space", "the database's disk is full", {
      hint: "Nothing was written; reads go on. Free some space and try again.",
    });
  }
  const passes = passing.test(code) || lost.test(code) || lost.test(message) || silent.test(message);
  if (!passes) return error;
  return new KoorError("unavailable", "the database does not answer", {
    retryAfter: 1,
    hint:
      "Try again in a moment. A write may have been made: send it again under the Idempotency-Key that it had " +
      "(koor-cli: --idempotency-key), and without one look first what is there.",
  });
}

/** As `work`, with the engine's failures in Koor's words. */
export async function speaking<T>(work: () => PromiseLike<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw translateError(error);
  }
}
