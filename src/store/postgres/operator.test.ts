import { afterEach, beforeEach, describe, expect, setSystemTime, test } from "bun:test";
import type { KoorError } from "../../contract/errors.ts";
import { commit, publish, put } from "../conformance.ts";
import { newDatabase, postgresUrl } from "./database-for-tests.ts";
import { ask, connect } from "./database.ts";
import { openPostgres } from "./open.ts";
import { eventPageBytes } from "../store.ts";

/** What an operator's settings may do to us, on a real database. */

const onError = (error: unknown) => {
  throw error;
};

describe.if(postgresUrl !== undefined)("a database as operators set it up", () => {
  let database: Awaited<ReturnType<typeof newDatabase>>;
  let name: string;
  let roles: string[] = [];

  beforeEach(async () => {
    database = await newDatabase();
    name = new URL(database.url).pathname.slice(1);
  });
  afterEach(async () => {
    await database.drop();
    const admin = connect(postgresUrl as string, 1);
    for (const role of roles) await ask(admin, `drop role if exists ${role}`);
    await admin.end();
    roles = [];
  });

  async function administer(...statements: string[]): Promise<void> {
    const admin = connect(database.url, 1);
    for (const statement of statements) await ask(admin, statement);
    await admin.end();
  }

  /** A role that may only connect. */
  async function newRole(): Promise<{ role: string; url: string }> {
    const role = name.replace("koor_", "role_");
    roles.push(role);
    await administer(`create role ${role} login`);
    const url = new URL(database.url);
    url.username = role;
    url.password = "secret";
    return { role, url: url.href };
  }

  test("a role that may make nothing is told how, and works in a schema that was made for it", async () => {
    const { role, url } = await newRole();
    const refused = await openPostgres({ url, onError }).catch((error: Error) => error.message);
    expect(refused).toContain("create schema koor authorization");
    expect(refused).not.toContain("secret");
    await administer(`create schema koor authorization ${role}`);
    for (const _ of ["makes the tables", "finds them"]) {
      const store = await openPostgres({ url, onError });
      expect((await store.commit(commit(put("k", "x")))).ok).toBe(true);
      await store.close();
    }
  });

  test("the role's own isolation, durability and end of idle transactions do not change what a commit promises (CAS-1, DUR-2)", async () => {
    await administer(
      `alter database ${name} set default_transaction_isolation = 'serializable'`,
      `alter database ${name} set synchronous_commit = 'off'`,
      `alter database ${name} set idle_in_transaction_session_timeout = '1ms'`,
    );
    const stores = await Promise.all([1, 2].map(() => openPostgres({ url: database.url, onError })));
    const outcomes = await Promise.all(
      Array.from({ length: 100 }, (_, n) =>
        stores[n % 2]!.commit(commit(publish("t", String(n)), put(`k${n % 3}`, "x"))),
      ),
    );
    expect(outcomes.every(({ ok }) => ok)).toBe(true);
    expect((await stores[0]!.heads()).events).toBe(100);
    for (const store of stores) await store.close();
  });

  test("a database that is read-only is refused at the start, with what to do", async () => {
    await administer(`alter database ${name} set default_transaction_read_only = on`);
    const refused = await openPostgres({ url: database.url, onError }).catch((error: Error) => error.message);
    expect(refused).toContain("Name a database that can be written to");
  });

  test.each(["dump", "list"])(
    "a %s whose connection the database ends is unavailable, and the server goes on",
    async (what) => {
      const store = await openPostgres({ url: database.url, onError });
      await store.commit(
        commit(...Array.from({ length: 300 }, (_, n) => put(`k${String(n).padStart(3, "0")}`, "x"))),
      );
      const read: AsyncIterable<unknown> = what === "dump" ? store.dump() : store.pages("state");
      const rows = read[Symbol.asyncIterator]();
      await rows.next();
      await administer(
        `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${name}' and state = 'idle in transaction'`,
      );
      const rest = (async () => {
        while (!(await rows.next()).done);
      })().catch((error: KoorError) => error.reason);
      expect(await rest).toBe("unavailable");
      expect((await store.commit(commit(put("after", "x")))).ok).toBe(true);
      await store.close();
    },
  );

  test("the clock is the database's before the first commit, too, on a machine whose own is wrong", async () => {
    const real = Date.now();
    setSystemTime(new Date(real + 3_600_000));
    try {
      const store = await openPostgres({ url: database.url, onError });
      expect(Math.abs(store.now() - real)).toBeLessThan(600_000);
      await store.close();
    } finally {
      setSystemTime();
    }
  });

  test.each(["oldest", "newest"] as const)(
    "a page of large events, the %s first, ends when it has enough bytes",
    async (order) => {
      const store = await openPostgres({ url: database.url, onError });
      const data = JSON.stringify("x".repeat(1_000_000));
      for (let n = 0; n < 40; n++) await store.commit(commit(publish("t", data)));
      const page = await store.events({ order, limit: 1000 });
      expect(page).toHaveLength(Math.floor(eventPageBytes / data.length) + 1);
      const ids = page.map(({ id }) => id);
      expect(ids).toEqual(ids.map((_, at) => (order === "oldest" ? 1 + at : 40 - at)));
      await store.close();
    },
  );
});
