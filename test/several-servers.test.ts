import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { startPostgres } from "../scripts/postgres.mjs";
import type { ServerProcess } from "../demo/compiled.ts";
import { postgresUrl } from "../src/store/postgres/database-for-tests.ts";
import { type Following, follow, insist, lastId, openFleet, publish, put, until } from "./several-servers.ts";

/** Real servers over one real PostgreSQL, which this file starts, kills and starts again. */

type Cluster = Awaited<ReturnType<typeof startPostgres>>;

let cluster: Cluster;
const { serve, end, close } = openFleet(() => cluster.url);

describe.if(postgresUrl !== undefined)("several servers over one database", () => {
  beforeAll(async () => {
    cluster = await startPostgres();
  });
  afterAll(async () => {
    await close();
    await cluster.stop();
  });

  test("of 300 concurrent writes through three servers with one If-Match one succeeds (CAS-1)", async () => {
    const fleet = await Promise.all([serve(), serve(), serve()]);
    const first = await put(fleet[0], "race", "0");
    const tag = first.headers.get("etag") as string;
    const answers = await Promise.all(
      Array.from({ length: 300 }, (_, index) =>
        put(fleet[index % 3] as ServerProcess, "race", String(index), { "If-Match": tag }),
      ),
    );
    const statuses = Map.groupBy(answers, ({ status }) => status);
    expect(statuses.get(200)).toHaveLength(1);
    expect(statuses.get(412)).toHaveLength(299);
    const read = await Promise.all(
      fleet.map(async (server) => (await fetch(`${server.url}/api/state/race`)).text()),
    );
    expect(new Set(read).size).toBe(1);
    for (const server of fleet) await end(server, "SIGTERM");
  });

  test.each(["with notifications", "with LISTEN blocked"])(
    "subscribers on every server get every event once and in order, %s (LOG-1, LOG-2)",
    async (how) => {
      // A port that nobody listens on stands for the pooler: hints never come, only the looks of once a second.
      const env = how.includes("blocked") ? { KOOR_DATABASE_LISTEN: "postgres://koor@127.0.0.1:9/none" } : {};
      const fleet = await Promise.all([serve(env), serve(env)]);
      const before = await lastId(fleet[0]);
      const readers: Following[] = await Promise.all(fleet.map((server) => follow(server.url, before)));
      const ids = (
        await Promise.all(
          fleet.map(async (server, at) => {
            const mine: number[] = [];
            for (let n = 0; n < 100; n++) mine.push(await publish(server, `s${at}`, n));
            return mine;
          }),
        )
      ).flat();
      const wanted = Array.from({ length: 200 }, (_, index) => before + 1 + index);
      expect(ids.toSorted((a, b) => a - b)).toEqual(wanted);
      for (const reader of readers) {
        await until(() => reader.ids.length >= 200);
        expect(reader.ids).toEqual(wanted);
        reader.close();
      }
      for (const server of fleet) await end(server, "SIGTERM");
    },
  );

  test("a server killed under load takes nothing along that it had acknowledged (DUR-1)", async () => {
    const [doomed, other] = await Promise.all([serve(), serve()]);
    const acknowledged = new Map<string, number>();
    let [running, dead] = [true, false];
    const writers = Array.from({ length: 8 }, async (_, writer) => {
      for (let n = 0; running; n++) {
        const server = writer % 2 === 0 ? doomed : other;
        const response = await put(server, `kill/${writer}`, String(n)).catch(() => undefined);
        if (response?.ok) acknowledged.set(`kill/${writer}`, n);
        else if (server === doomed && dead) return;
      }
    });
    const counts = () => Array.from({ length: 8 }, (_, writer) => acknowledged.get(`kill/${writer}`) ?? -1);
    await until(() => counts().every((count) => count >= 10));
    await end(doomed, "SIGKILL");
    dead = true;
    const atDeath = counts();
    await until(() =>
      counts().every((count, writer) => writer % 2 === 0 || count >= (atDeath[writer] ?? 0) + 10),
    );
    running = false;
    await Promise.all(writers);
    expect(acknowledged.size).toBe(8);
    for (const [key, n] of acknowledged) {
      const stored = Number(await (await fetch(`${other.url}/api/state/${key}`)).text());
      // One write may have been made whose answer was cut off.
      expect([n, n + 1]).toContain(stored);
    }
    await end(other, "SIGTERM");
  });

  test("a server that is frozen in the middle of a commit does not stop the others", async () => {
    const [frozen, other] = await Promise.all([serve(), serve()]);
    for (let round = 0; round < 3; round++) {
      let running = true;
      let answers = 0;
      const load = Array.from({ length: 16 }, async (_, n) => {
        for (; running; answers++) await put(frozen, `frozen/${n}`, "x").catch(() => undefined);
      });
      await until(() => answers >= 100);
      frozen.kill("SIGSTOP");
      // The database ends a transaction that stands still for two seconds; until then this one waits for the head row.
      expect((await put(other, `goes-on/${round}`, "x")).status).toBe(200);
      frozen.kill("SIGCONT");
      running = false;
      await Promise.all(load);
      // What the frozen one was about to commit is refused or was committed, and it works again.
      expect(
        (
          await insist(async () => {
            const response = await put(frozen, "again", "x");
            if (!response.ok) throw new Error(String(response.status));
            return response;
          })
        ).status,
      ).toBe(200);
    }
    for (const server of [frozen, other]) await end(server, "SIGTERM");
  });

  test("the database killed and started again under load: 503 meanwhile, nothing lost, nobody disconnected (DUR-1, LOG-2)", async () => {
    const fleet = await Promise.all([serve(), serve()]);
    const before = await lastId(fleet[0]);
    const readers = await Promise.all(fleet.map((server) => follow(server.url, before)));
    const refusals = new Set<number>();
    const published: number[] = [];
    const publishers = Array.from({ length: 6 }, async (_, publisher) => {
      for (let n = 0; n < 60; n++) {
        const server = fleet[publisher % 2] as ServerProcess;
        const id = await insist(async () => {
          const response = await fetch(`${server.url}/api/events/publish`, {
            method: "POST",
            headers: { "Idempotency-Key": `${publisher}-${n}` },
            body: JSON.stringify({ topic: "outage", data: [publisher, n] }),
          });
          if (!response.ok) {
            refusals.add(response.status);
            expect(response.headers.get("retry-after")).toBe("1");
            throw new Error(await response.text());
          }
          return ((await response.json()) as { id: number }).id;
        });
        published.push(id);
        await Bun.sleep(5);
      }
    });
    await until(() => published.length >= 60);
    cluster.kill("SIGKILL");
    await until(() => refusals.size > 0);
    expect((await fetch(`${fleet[0]?.url}/api/state`)).status).toBe(503);
    expect((await fetch(`${fleet[0]?.url}/health`)).status).toBe(200);
    await cluster.start();
    await Promise.all(publishers);
    expect([...refusals]).toEqual([503]);
    expect(new Set(published).size).toBe(360);
    const wanted = published.toSorted((a, b) => a - b);
    for (const reader of readers) {
      await until(() => reader.ids.length >= 360);
      expect(reader.ids).toEqual(wanted);
      expect(reader.closed()).toBe(false);
      reader.close();
    }
    for (const server of fleet) await end(server, "SIGTERM");
  });

  test("a rolling restart: whoever tries again on 503 or a lost connection loses nothing", async () => {
    const fleet = await Promise.all([serve(), serve()]);
    let running = true;
    const done: number[] = [];
    const clients = Array.from({ length: 6 }, async (_, client) => {
      for (let n = 0; running; n++) {
        await insist(async () => {
          const server = fleet[Math.floor(Math.random() * 2)] as ServerProcess;
          await publish(server, "rolling", [client, n], `rolling-${client}-${n}`);
        });
        done[client] = n + 1;
      }
    });
    const total = () => done.reduce((sum, count) => sum + count, 0);
    for (const at of [0, 1]) {
      const before = total();
      await until(() => total() >= before + 60);
      const old = fleet[at] as ServerProcess;
      fleet[at] = await serve();
      await end(old, "SIGTERM");
    }
    running = false;
    await Promise.all(clients);
    const rows = (await (
      await fetch(`${fleet[0]?.url}/api/events/history?topic=rolling&after=0&limit=1000`)
    ).json()) as { data: [number, number] }[];
    for (const [client, count] of done.entries()) {
      const mine = rows.filter(({ data }) => data[0] === client).map(({ data }) => data[1]);
      expect(mine).toEqual(Array.from({ length: count }, (_, n) => n));
    }
    for (const server of fleet) await end(server, "SIGTERM");
  });

  test("a database of a newer Koor, and one that is not there, are refused in one line without the password", async () => {
    const refused = async (url: string) => {
      const failed = await serve({ KOOR_DATABASE: url }).then(
        () => "started",
        (error: Error) => error.message,
      );
      expect(failed).not.toContain("secret");
      return failed;
    };
    const url = new URL(cluster.url);
    url.password = "secret";
    url.pathname = "/nothing";
    expect(await refused(url.href)).toContain("koor-server: ");
    url.port = "9";
    expect(await refused(url.href)).toContain("--database");
  });
});
