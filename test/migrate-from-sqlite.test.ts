import { Database } from "bun:sqlite";
import { afterEach, describe, expect, test } from "bun:test";
import { copyFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import {
  type Exit,
  type ServerProcess,
  run,
  serverProgram,
  start,
  startServer,
  temporaryFolder,
} from "../demo/compiled.ts";
import { newDatabase, postgresUrl } from "../src/store/postgres/database-for-tests.ts";
import { publish, put } from "./several-servers.ts";

/** koor-server migrate-from-sqlite, as a process, between real servers. */

const disposals: (() => unknown)[] = [];
afterEach(async () => {
  for (const dispose of disposals.splice(0).reverse()) await dispose();
});

function folder(): string {
  const made = temporaryFolder();
  disposals.push(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

async function emptyDatabase(): Promise<string> {
  const { url, drop } = await newDatabase();
  disposals.push(drop);
  return url;
}

async function serve(at: string, env: Record<string, string> = {}): Promise<ServerProcess> {
  const server = await startServer(at, { env });
  disposals.push(() => {
    server.kill("SIGKILL");
    return server.exited;
  });
  return server;
}

async function stop(server: ServerProcess): Promise<void> {
  server.kill("SIGTERM");
  await server.exited;
}

const migrate = (at: string, file: string, database: string): Promise<Exit> =>
  run([serverProgram, "migrate-from-sqlite", file], at, { KOOR_DATABASE: database });

const bytes = new Uint8Array([0, 255, 10, 0]);

/** Some of everything, on a server that has ended. */
async function filledFolder(): Promise<string> {
  const server = await serve(folder());
  for (const value of ["one", "two", "three"]) await put(server, "plan", value);
  await put(server, "gone", "x");
  await fetch(`${server.url}/api/state/gone`, { method: "DELETE" });
  await fetch(`${server.url}/api/state/bytes`, { method: "PUT", body: bytes });
  await fetch(`${server.url}/api/specs/shop/%C3%BCber`, { method: "PUT", body: '{"a":1}' });
  for (let n = 1; n <= 30; n++) await publish(server, `topic.${n % 3}`, { n, nul: "\u0000" }, `key-${n}`);
  await fetch(`${server.url}/api/instances/register`, { method: "POST", body: '{"name":"ada"}' });
  await stop(server);
  return server.folder;
}

/** What anybody can see of a server. */
async function seen(server: ServerProcess): Promise<unknown> {
  const paths = [
    "/api/state",
    "/api/state/plan?history=1",
    "/api/state/plan?version=1",
    "/api/state/gone?history=1",
    "/api/specs/shop",
    "/api/events/history?after=0&limit=1000",
    "/api/changes/next?after=0&limit=1000",
    "/api/instances",
  ];
  return Promise.all(
    paths.map(async (path) => {
      const response = await fetch(server.url + path);
      return [path, response.status, await response.text()];
    }),
  );
}

describe.if(postgresUrl !== undefined)("koor-server migrate-from-sqlite", () => {
  test("copies all that a data directory holds, and a server on the database goes on where it was", async () => {
    const at = await filledFolder();
    const old = await serve(at);
    const before = (await seen(old)) as [string, number, string][];
    await stop(old);
    const database = await emptyDatabase();
    const { code, stdout, stderr } = await migrate(folder(), at, database);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(stdout).toMatch(/data\.db: \d+ records in \d+ versions, 30 events and \d+ audit rows are in/);
    for (const line of ["checking the file:100%", "copying: 50%", "reading back:100%"])
      expect(stderr).toContain(line);

    const server = await serve(folder(), { KOOR_DATABASE: database });
    const after = (await seen(server)) as [string, number, string][];
    for (const [at, [path, status, text]] of before.entries()) {
      // Of the changes there is one more: that all of it was copied.
      if (path.startsWith("/api/changes")) {
        const changes = (of: string) => JSON.parse(of).events as { action: string }[];
        expect(changes(after[at]![2]).slice(0, -1)).toEqual(changes(text));
        expect(changes(after[at]![2]).at(-1)?.action).toBe("store.restore");
      } else expect(after[at]).toEqual([path, status, text]);
    }
    expect(new Uint8Array(await (await fetch(`${server.url}/api/state/bytes`)).arrayBuffer())).toEqual(bytes);
    // A request from before that is sent again has its answer from before; ids and versions go on.
    expect(await publish(server, "topic.1", { n: 1, nul: "\u0000" }, "key-1")).toBe(1);
    expect(await publish(server, "new", 1)).toBe(31);
    expect(await (await put(server, "plan", "four")).json()).toMatchObject({ version: 4 });
  });

  test("takes the file itself, too, and refuses a database that Koor has written to, which stays as it is", async () => {
    const at = await filledFolder();
    const database = await emptyDatabase();
    const server = await serve(folder(), { KOOR_DATABASE: database });
    // One that was only started on is empty still.
    const first = await migrate(folder(), join(at, "data.db"), database);
    expect(first).toMatchObject({ code: 0 });
    await put(server, "plan", "mine");
    const second = await migrate(folder(), at, database);
    expect(second.code).toBe(1);
    expect(second.stderr).toContain("koor-server: the database is not empty");
    expect(await (await fetch(`${server.url}/api/state/plan`)).text()).toBe("mine");
  });

  test("refuses a directory that a server runs on, and a file that is damaged; the database stays empty", async () => {
    const at = await filledFolder();
    const database = await emptyDatabase();
    const running = await serve(at);
    const taken = await migrate(folder(), at, database);
    expect([taken.code, taken.stderr]).toEqual([1, expect.stringContaining("is in use by process")]);
    await stop(running);

    const damaged = folder();
    copyFileSync(join(at, "data.db"), join(damaged, "data.db"));
    const db = new Database(join(damaged, "data.db"));
    db.run("update versions set value = x'00' where key = 'plan' and version = 2");
    db.close();
    const refused = await migrate(folder(), damaged, database);
    expect([refused.code, refused.stderr]).toEqual([
      1,
      expect.stringContaining(
        `is damaged. See what is wrong with it: koor-server check '${damaged}/data.db'`,
      ),
    ]);
    expect((await migrate(folder(), at, database)).code).toBe(0);
  });

  test("killed in the middle it leaves the database empty, and can be run again", async () => {
    const at = folder();
    const server = await serve(at);
    for (let n = 0; n < 20; n++) await put(server, `large/${n}`, "x".repeat(2_000_000));
    await stop(server);
    const database = await emptyDatabase();
    const program = start([serverProgram, "migrate-from-sqlite", at], folder(), { KOOR_DATABASE: database });
    let isOver = false;
    void program.exited.then(() => (isOver = true));
    while (!isOver && !program.stderr().includes("copying:")) await Bun.sleep(1);
    expect(program.stderr()).toContain("copying:");
    program.kill("SIGKILL");
    const { code } = await program.exited;
    const again = await migrate(folder(), at, database);
    // Where it was quicker than the signal all is there already.
    expect([code === 0 ? 1 : 0]).toContain(again.code);
    const other = await serve(folder(), { KOOR_DATABASE: database });
    expect((await (await fetch(`${other.url}/api/state/large%2F19`)).text()).length).toBe(2_000_000);
  });

  test("says what is missing of what it needs", async () => {
    const tell = async (args: string[], env: Record<string, string> = {}) =>
      (await run([serverProgram, "migrate-from-sqlite", ...args], folder(), env)).stderr;
    expect(await tell([])).toContain("needs a FILE");
    expect(await tell(["nothing"], { KOOR_DATABASE: postgresUrl as string })).toContain("there is no ");
    expect(await tell(["."])).toContain("needs KOOR_DATABASE");
    expect(await tell([".", "--database", "mysql://x"])).toContain("--database is not allowed");
  });
});
