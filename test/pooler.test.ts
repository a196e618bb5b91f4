import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { pgbouncer, startPooler } from "../scripts/pooler.mjs";
import { freePort } from "../scripts/postgres.mjs";
import type { ServerProcess } from "../demo/compiled.ts";
import { newDatabase, postgresUrl } from "../src/store/postgres/database-for-tests.ts";
import { type Following, follow, lastId, openFleet, publish, put, until } from "./several-servers.ts";

/** Real servers behind a real PgBouncer in transaction mode, which gives each transaction whatever session is free. */

let database: Awaited<ReturnType<typeof newDatabase>>;
let pooler: Awaited<ReturnType<typeof startPooler>>;
const { serve, end, close } = openFleet(() => pooler.url);

describe.if(postgresUrl !== undefined && pgbouncer() !== undefined)("servers behind a pooler", () => {
  beforeAll(async () => {
    database = await newDatabase();
    pooler = await startPooler(database.url, await freePort());
  });
  afterAll(async () => {
    await close();
    await pooler.stop();
    await database.drop();
  });

  test.each(["with --database-listen around it", "without"])(
    "conditional writes, order and followers are as without one, %s (CAS-1, LOG-1, LOG-2)",
    async (how) => {
      const env = how === "without" ? {} : { KOOR_DATABASE_LISTEN: database.url };
      const fleet = await Promise.all([serve(env), serve(env)]);
      const key = `race ${how}`.replaceAll(" ", "-");
      const tag = (await put(fleet[0], key, "0")).headers.get("etag") as string;
      const answers = await Promise.all(
        Array.from({ length: 100 }, (_, n) =>
          put(fleet[n % 2] as ServerProcess, key, String(n), { "If-Match": tag }),
        ),
      );
      const statuses = answers.map(({ status }) => status);
      expect(statuses.filter((status) => status === 200)).toHaveLength(1);
      expect(statuses.filter((status) => status === 412)).toHaveLength(99);

      const before = await lastId(fleet[0]);
      const readers: Following[] = await Promise.all(fleet.map((server) => follow(server.url, before)));
      const ids = await Promise.all(
        Array.from({ length: 100 }, (_, n) => publish(fleet[n % 2] as ServerProcess, "pooled", n)),
      );
      const wanted = Array.from({ length: 100 }, (_, n) => before + 1 + n);
      expect(ids.toSorted((a, b) => a - b)).toEqual(wanted);
      for (const reader of readers) {
        await until(() => reader.ids.length >= 100);
        expect(reader.ids).toEqual(wanted);
        reader.close();
      }
      for (const server of fleet) {
        await end(server, "SIGTERM");
        const { stderr } = await server.exited;
        expect(stderr.includes("--database-listen")).toBe(how === "without");
        expect(stderr).not.toContain("koor-server: ");
      }
    },
  );
});
