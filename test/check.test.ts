import { Database } from "bun:sqlite";
import { afterEach, describe, expect, test } from "bun:test";
import { copyFileSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Program, run, runCli, serverProgram, startServer, temporaryFolder } from "../demo/compiled.ts";

/** koor-server check and koor-server backup, as processes beside one that serves. */

const folders: string[] = [];
const programs: Program[] = [];

function folder(): string {
  const made = temporaryFolder();
  folders.push(made);
  return made;
}

afterEach(async () => {
  for (const program of programs) program.kill("SIGKILL");
  await Promise.all(programs.splice(0).map(({ exited }) => exited));
  for (const made of folders.splice(0)) rmSync(made, { recursive: true, force: true });
});

async function serve(at = folder()) {
  const server = await startServer(at);
  programs.push(server);
  return server;
}

type Server = Awaited<ReturnType<typeof serve>>;

const put = (server: Server, key: string, body: string) =>
  fetch(`${server.url}/api/state/${key}`, { method: "PUT", body });

async function fill(server: Server): Promise<void> {
  for (const body of ["one", "two", "three"]) await put(server, "plan", body);
  await put(server, "gone", "x");
  await fetch(`${server.url}/api/state/gone`, { method: "DELETE" });
  for (const topic of ["a", "b", "c"]) {
    await fetch(`${server.url}/api/events/publish`, { method: "POST", body: JSON.stringify({ topic }) });
  }
}

/** A data directory of a server that was filled and has ended. */
async function filledFolder(): Promise<string> {
  const server = await serve();
  await fill(server);
  server.kill("SIGTERM");
  await server.exited;
  return server.folder;
}

const check = (at: string, ...args: string[]) => run([serverProgram, "check", ...args], at);

describe("koor-server check", () => {
  test("finds a sound database sound, beside a server that writes to it", async () => {
    const server = await serve();
    await fill(server);
    const writing = Promise.all(Array.from({ length: 200 }, (_, n) => put(server, `k${n % 10}`, `${n}`)));
    const { code, stdout, stderr } = await check(server.folder);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(
      /^.*data\.db\nok {6}pages and indexes: \d+ bytes\nok {6}versions: \d+ of \d+ keys\n/,
    );
    expect(stdout).toContain("ok      events: 3, 1 to 3\n");
    expect(stdout).toEndWith("All is as it should be.\n");
    await writing;
    expect((await put(server, "still", "here")).status).toBe(200);
  });

  const damages: [name: string, sql: string, found: RegExp][] = [
    [
      "a missing version",
      "delete from versions where key = 'plan' and version = 2",
      /"plan": after version 1 comes 3/,
    ],
    [
      "changed bytes",
      "update versions set value = x'00ff00' where key = 'plan' and version = 1",
      /bytes of version 1 do not have the hash/,
    ],
    [
      "bytes of another length",
      "update versions set value = x'00' where key = 'plan' and version = 3",
      /has 1 bytes, not 5/,
    ],
    [
      "a missing current version",
      "delete from versions where key = 'plan' and version = 3",
      /current version 3 are missing/,
    ],
    [
      "a record that points elsewhere",
      "update records set version = 2 where key = 'plan'",
      /version 3 is there, but the key is at 2/,
    ],
    [
      "a missing record",
      "delete from records where key = 'gone'",
      /"gone".*version 2 is there, but the key is at none/,
    ],
    [
      "an audit row put before the first",
      "insert into audit select 0, at, actor, action, resource, detail, outcome, hash from audit where id = 3",
      /row 0 was put in/,
    ],
    ["a changed audit row", "update audit set actor = 'mallory' where id = 3", /row 3 was changed/],
    ["a removed audit row", "delete from audit where id = 3", /after 2 comes 4/],
    [
      "the newest audit row removed",
      "delete from audit where id = (select max(id) from audit)",
      /the newest row is \d+, but ids were given up to/,
    ],
    ["a removed event", "delete from events where id = 2", /after 1 comes 3/],
    [
      "the newest event removed",
      "delete from events where id = 3",
      /the newest is 2, but ids were given up to 3/,
    ],
    [
      "wrong counts",
      "update heads set heads = json_set(heads, '$.live.state', 7)",
      /state: 1 are there, but 7 are counted/,
    ],
    [
      "a revision that was gone back to",
      "update heads set heads = json_set(heads, '$.revision', 2)",
      /at revision 2, but/,
    ],
  ];

  test("finds each kind of damage, and names it", async () => {
    const sound = await filledFolder();
    await Promise.all(
      damages.map(async ([name, sql, found]) => {
        const at = folder();
        copyFileSync(join(sound, "data.db"), join(at, "data.db"));
        const db = new Database(join(at, "data.db"));
        db.run(sql);
        db.close();
        const { code, stdout } = await check(at);
        expect([name, code]).toEqual([name, 1]);
        expect(stdout).toMatch(found);
        expect(stdout).toContain("DAMAGED");
      }),
    );
  });

  test("finds a page that was overwritten", async () => {
    const at = await filledFolder();
    const bytes = readFileSync(join(at, "data.db"));
    bytes.fill(0x5a, 4096 * 2, 4096 * 3);
    writeFileSync(join(at, "data.db"), bytes);
    const { code, stdout, stderr } = await check(at);
    expect(code).toBe(1);
    expect(stdout + stderr).toMatch(/malformed|damaged|DAMAGED/);
  });

  test("what is no database of Koor's, or not there, is said in a line that names it", async () => {
    const at = folder();
    const fault = async (...args: string[]) => {
      const { code, stdout, stderr } = await check(at, ...args);
      expect([code, stdout]).toEqual([1, ""]);
      return stderr.replaceAll(at, "AT");
    };
    const missing = (file: string) =>
      `koor-server: there is no ${file}: name a database, or its directory with --data-dir DIRECTORY\n`;
    expect(await fault()).toBe(missing("AT/data.db"));
    expect(await fault("other.db")).toBe(missing("AT/other.db"));
    writeFileSync(join(at, "data.db"), "hello ".repeat(1000));
    expect(await fault()).toBe("koor-server: AT/data.db is no database\n");
    const foreign = new Database(join(at, "foreign.db"));
    foreign.run("create table mine (id integer)");
    foreign.close();
    expect(await fault("foreign.db")).toBe("koor-server: AT/foreign.db is no database of Koor's\n");
    expect(await fault("--nonsense")).toContain("unknown option --nonsense");
  });

  test("takes a data directory as well as a file", async () => {
    const at = await filledFolder();
    expect((await check(folder(), at)).stdout).toContain(join(at, "data.db"));
  });
});

test("where a PostgreSQL database is set, check and backup refuse to act on the data.db that is there, and say what to use", async () => {
  const at = await filledFolder();
  const database = "postgres://koor:secret@db.invalid/koor";
  const settings = join(folder(), "settings.json");
  writeFileSync(settings, JSON.stringify({ database }));
  for (const [flags, env] of [
    [[], { KOOR_DATABASE: database }],
    [["--database", database], {}],
    [["--config", settings], {}],
  ] as const) {
    const backup = await run([serverProgram, "backup", "--output", "copy", ...flags], at, env);
    expect(backup).toMatchObject({ code: 1, stdout: "" });
    expect(backup.stderr).toContain("nothing was written");
    expect(backup.stderr).toContain("koor-cli backup --output ");
    const checked = await run([serverProgram, "check", ...flags], at, env);
    expect(checked).toMatchObject({ code: 1, stdout: "" });
    expect(checked.stderr).toContain("koor-server audit verify");
    expect(backup.stderr + checked.stderr).not.toContain("secret");
    expect(readdirSync(at)).not.toContain("copy");
    // A file that is named is meant.
    expect((await run([serverProgram, "check", "data.db", ...flags], at, env)).code).toBe(0);
  }
});

describe("koor-server backup", () => {
  test("copies the database while a server writes to it; the copy is sound, a history of its own, and serves", async () => {
    const [server, at] = [await serve(), folder()];
    await fill(server);
    let writing = true;
    const writer = (async () => {
      for (let n = 0; writing; n++) await put(server, `k${n % 10}`, `${n}`);
    })();
    const copied = await run([serverProgram, "backup", "--output", at], server.folder);
    writing = false;
    await writer;
    expect(copied).toMatchObject({ code: 0, stderr: "" });
    expect(copied.stdout).toMatch(/data\.db: \d+ bytes\n$/);
    expect(readdirSync(at)).toEqual(["data.db"]);
    expect((await check(at, join(at, "data.db"))).code).toBe(0);
    const other = await serve(at);
    expect(await (await fetch(`${other.url}/api/state/plan`)).text()).toBe("three");
    const epoch = async ({ url }: Server) =>
      JSON.parse((await (await fetch(`${url}/api/backup`)).text()).split("\n", 1)[0] as string).epoch;
    expect(await epoch(other)).not.toBe(await epoch(server));
  });

  test("never replaces a file, and says what it needs", async () => {
    const at = await filledFolder();
    const backup = (...args: string[]) => run([serverProgram, "backup", ...args], at);
    expect((await backup("--output", ".")).stderr).toContain("data.db is there already");
    expect((await backup()).stderr).toContain("--output PATH");
    mkdirSync(join(at, "to"));
    expect((await backup("--output=to", "--data-dir", ".")).code).toBe(0);
    expect((await backup("--output", "to")).code).toBe(1);
    expect((await check(at)).code).toBe(0);
  });

  test("of a place that cannot be written to it says that, and nothing of the data directory", async () => {
    const at = await filledFolder();
    const backup = (output: string) => run([serverProgram, "backup", "--output", output], at);
    expect(await backup("it's/missing")).toMatchObject({
      code: 1,
      stdout: "",
      stderr: `koor-server: cannot write ${at}/it's/missing: there is no directory ${at}/it's. Make it: mkdir -p '${at}/it'\\''s'\n`,
    });
    const { code, stderr } = await backup("data.db/x");
    expect([code, stderr]).toEqual([1, expect.stringContaining(`cannot write ${at}/data.db/x: ENOTDIR`)]);
    expect(stderr).not.toContain("data directory");
  });

  test("two to the same file at once: that file is a sound copy, and who is too late is told so", async () => {
    const server = await serve();
    await Promise.all(Array.from({ length: 20 }, (_, n) => put(server, `${n}`, "x".repeat(1_000_000))));
    const at = folder();
    const backup = () => run([serverProgram, "backup", "--output", join(at, "copy")], server.folder);
    const copies = await Promise.all([backup(), backup()]);
    expect(copies.map(({ code }) => code)).toContain(0);
    for (const { code, stderr } of copies)
      expect(stderr).toEqual(
        code === 0 ? "" : `koor-server: ${at}/copy is there already: choose another name\n`,
      );
    expect(readdirSync(at)).toEqual(["copy"]);
    expect(await check(at, "copy")).toMatchObject({ code: 0 });
  });

  test("what koor-cli restored from koor-cli's backup is sound, and stays so across a restart", async () => {
    const [source, target, at] = [await serve(), await serve(), folder()];
    await fill(source);
    expect((await runCli(source, at, ["backup", "--output", "b"])).stdout).toMatch(/^state keys: 1\n/);
    await put(target, "other", "x");
    const restored = await runCli(target, at, ["restore", "--file", "b"]);
    expect(restored).toMatchObject({ code: 0, stderr: "" });
    expect(await check(target.folder)).toMatchObject({ code: 0 });
    target.kill("SIGKILL");
    await target.exited;
    const again = await serve(target.folder);
    expect(await (await fetch(`${again.url}/api/state/plan`)).text()).toBe("three");
    expect((await check(again.folder)).code).toBe(0);
  });
});
