import { describe, expect, test } from "bun:test";
import { commit, publish, put, testStore } from "../conformance.ts";
import { newDatabase, postgresUrl } from "./database-for-tests.ts";
import type { KoorError } from "../../contract/errors.ts";
import { connect } from "./database.ts";
import { openPostgres } from "./open.ts";

const onError = (error: unknown) => {
  throw error;
};

if (postgresUrl) {
  testStore("PostgreSQL", async () => {
    const clock = { now: 0 };
    const { url, drop } = await newDatabase();
    const store = await openPostgres({ url, now: () => clock.now, onError });
    return {
      store,
      clock,
      dispose: async () => {
        await store.close();
        await drop();
      },
    };
  });
}

describe.if(postgresUrl !== undefined)("several servers on one database", () => {
  test("what one acknowledged the other reads, and each order is the same for all", async () => {
    const { url, drop } = await newDatabase();
    const [a, b] = await Promise.all([openPostgres({ url, onError }), openPostgres({ url, onError })]);
    const ids = await Promise.all(
      Array.from({ length: 200 }, async (_, index) => {
        const outcome = await (index % 2 ? a : b).commit(
          commit(publish("t", String(index)), put(`k${index % 5}`, "x")),
        );
        return outcome.ok && outcome.results[0] && "event" in outcome.results[0]
          ? outcome.results[0].event.id
          : 0;
      }),
    );
    expect(ids.toSorted((x, y) => x - y)).toEqual(Array.from({ length: 200 }, (_, index) => index + 1));
    const seen = await Promise.all([a, b].map((store) => store.events({ order: "oldest", limit: 1000 })));
    expect(seen[0]).toEqual(seen[1] as (typeof seen)[0]);
    expect((await a.heads()).epoch).toBe((await b.heads()).epoch);
    await a.close();
    await b.close();
    await drop();
  });

  test("one hears of the other's commits", async () => {
    const { url, drop } = await newDatabase();
    const [a, b] = await Promise.all([openPostgres({ url, onError }), openPostgres({ url, onError })]);
    const heard = Promise.withResolvers<number>();
    b.watch(({ events }) => events === 1 && heard.resolve(events));
    await a.commit(commit(publish("t")));
    expect(await heard.promise).toBe(1);
    await a.close();
    await b.close();
    await drop();
  });

  test("after a read that failed there is another hint, though nothing was committed since", async () => {
    const { url, drop } = await newDatabase();
    const store = await openPostgres({ url, onError });
    await store.commit(commit(publish("t")));
    const other = connect(url, 1);
    const admin = await other.connect();
    await admin.query("begin; lock koor.events in access exclusive mode");
    const hint = Promise.withResolvers<void>();
    let failed = false;
    store.watch(() => failed && hint.resolve());
    const read = store.events({ order: "oldest", limit: 1 }).catch((error: KoorError) => {
      failed = true;
      return error.reason;
    });
    // Until it has failed: where the machine is slow it may have been given up before it waited for the lock.
    while (!failed) {
      await admin.query(
        "select pg_terminate_backend(pid) from pg_stat_activity where query like '%koor.events%' and wait_event_type = 'Lock'",
      );
      await Bun.sleep(5);
    }
    expect(await read).toBe("unavailable");
    await hint.promise;
    await admin.query("rollback");
    admin.release();
    await other.end();
    await store.close();
    await drop();
  });

  test("a job has its turn on one of them, and again when its time has passed", async () => {
    const { url, drop } = await newDatabase();
    const stores = await Promise.all([openPostgres({ url, onError }), openPostgres({ url, onError })]);
    const turns = await Promise.all(stores.map((store) => store.takeTurn("job", 60_000)));
    expect(turns.filter(Boolean)).toHaveLength(1);
    expect(await stores[0]?.takeTurn("job", 0)).toBe(true);
    for (const store of stores) await store.close();
    await drop();
  });
});
