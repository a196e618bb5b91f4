import { afterEach, describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, readdirSync, rmSync, statSync, watch, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runCli } from "../src/cli/io-for-tests.ts";
import { type TestServer, openSocket, sendRaw, startServer, temporaryDirectory } from "./harness.ts";

const disposals: (() => unknown)[] = [];
afterEach(async () => {
  for (const dispose of disposals.splice(0).reverse()) await dispose();
});

async function serve(...args: Parameters<typeof startServer>): Promise<TestServer> {
  const server = await startServer(...args);
  disposals.push(server.dispose);
  return server;
}

function folder(): string {
  const path = temporaryDirectory();
  disposals.push(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

const cliProgram = join(import.meta.dir, "../src/cli/main.ts");

const put = async (server: TestServer, key: string, body: string) =>
  (await server.ask(`/api/state/${key}`, { method: "PUT", body })).status;
const value = async (server: TestServer, key: string) => {
  const response = await server.ask(`/api/state/${key}`);
  return response.status === 200 ? response.text() : response.status;
};
const publish = (server: TestServer, topic: string) =>
  server.json("/api/events/publish", { method: "POST", body: JSON.stringify({ topic }) });
const backup = async (server: TestServer) =>
  new Uint8Array(await (await server.ask("/api/backup")).arrayBuffer());
const restore = (server: TestServer, body: Uint8Array | ReadableStream, init: RequestInit = {}) =>
  server.json("/api/restore", { method: "POST", body: body as BodyInit, ...init });
const lines = (bytes: Uint8Array) => new TextDecoder().decode(bytes).trimEnd().split("\n");

/** Until a backup that comes in is put on disk: for a moment its file has a name. */
function untilSpooling({ directory }: TestServer): Promise<void> {
  return new Promise((resolve) => {
    const watcher = watch(directory, (_, name) => {
      if (name !== "restore.part") return;
      watcher.close();
      resolve();
    });
  });
}

/** Something of everything that is kept. */
async function fill(server: TestServer): Promise<void> {
  for (const body of ["1", "2", '{"n":12345678901234567890}']) await put(server, "plan/a", body);
  await put(server, "gone", "x");
  await server.ask("/api/state/gone", { method: "DELETE" });
  await server.ask("/api/specs/shop/api", { method: "PUT", body: '{"openapi":"3.1.0"}' });
  await server.ask("/api/validate/shop/rules", {
    method: "PUT",
    body: JSON.stringify([{ rule_id: "r", pattern: "x" }]),
  });
  await publish(server, "build.ok");
  await publish(server, "build.failed");
}

describe("GET /api/backup", () => {
  test("sends lines of JSON: a header, rows, and an end with counts and checksum", async () => {
    const server = await serve();
    await fill(server);
    const response = await server.ask("/api/backup");
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("application/x-ndjson");
    expect(response.headers.get("content-disposition")).toMatch(/^attachment; filename="koor-.+\.backup"$/);
    const rows = lines(new Uint8Array(await response.arrayBuffer())).map((line) => JSON.parse(line));
    expect(rows[0]).toMatchObject({ format: "koor-backup", version: 1, schema: 3 });
    expect(rows.at(-1).end).toMatchObject({
      counts: { state: 1, specs: 1, rules: 1, instances: 0, events: 2 },
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
  });

  test("HEAD tells the same and makes nothing; without the token it is refused (AUTH-1)", async () => {
    const server = await serve(["--auth-token", "secret"]);
    expect((await server.ask("/api/backup")).status).toBe(401);
    expect((await restore(server, new Uint8Array(1))).status).toBe(401);
    const headers = { Authorization: "Bearer secret" };
    for (let n = 0; n < 5; n++) {
      const head = await server.ask("/api/backup", { method: "HEAD", headers });
      expect([head.status, head.headers.get("content-type")]).toEqual([200, "application/x-ndjson"]);
    }
    expect((await server.ask("/api/backup", { headers })).status).toBe(200);
  });

  test("readers that stop hold up nobody, and no more than two are let in", async () => {
    const server = await serve();
    await put(server, "large", "x".repeat(9_000_000));
    const readers = await Promise.all([server.ask("/api/backup"), server.ask("/api/backup")]);
    const third = await server.json("/api/backup");
    expect([third.status, third.body.reason]).toEqual([503, "unavailable"]);
    expect(third.headers.get("retry-after")).toBe("5");
    expect(await put(server, "k", "v")).toBe(200);
    for (const reader of readers) await reader.body?.cancel();
    await until(async () => (await server.ask("/api/backup", { method: "HEAD" })).status === 200);
  });
});

async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await holds())) await Bun.sleep(5);
}

describe("POST /api/restore", () => {
  test("replaces everything: values, versions, deleted keys, specs, rules, events and audit", async () => {
    const source = await serve();
    await fill(source);
    const bytes = await backup(source);
    const target = await serve();
    await put(target, "other", "x");
    const answer = await restore(target, bytes);
    expect(answer).toMatchObject({ status: 200, body: { restored: true, counts: { state: 1, events: 2 } } });
    expect(await value(target, "other")).toBe(404);
    for (const path of [
      "/api/state",
      "/api/state/plan/a",
      "/api/state/plan/a?version=2",
      "/api/state/gone?history=1",
      "/api/specs/shop",
      "/api/validate/shop/rules",
      "/api/events/history",
    ]) {
      const [there, here] = await Promise.all([source.ask(path), target.ask(path)]);
      expect([here.status, await here.text()]).toEqual([there.status, await there.text()]);
    }
    // A backup of what was restored is the same, but for its first lines, the row that says so, and the end.
    const [first, second] = [lines(bytes), lines(await backup(target))];
    expect(second.slice(2, -2)).toEqual(first.slice(2, -1));
    expect(JSON.parse(second.at(-2) as string).audit).toMatchObject({
      action: "store.restore",
      actor: "local",
    });
  });

  test("versions and event ids go on where the backup was, and instances keep their tokens", async () => {
    const source = await serve();
    await fill(source);
    const { body: instance } = await source.json("/api/instances/register", {
      method: "POST",
      body: '{"name":"alice"}',
    });
    const target = await serve();
    await restore(target, await backup(source));
    const headers = { "Koor-Instance-Token": instance.token };
    const written = await target.json("/api/state/gone", { method: "PUT", body: "again", headers });
    expect(written).toMatchObject({ status: 200, body: { version: 3 } });
    expect((await publish(target, "next")).body).toMatchObject({ id: 3 });
  });

  test("a request that was made before the backup is not made again after it (IDEM-1)", async () => {
    const source = await serve();
    const headers = { "Idempotency-Key": "once" };
    const first = await source.json("/api/state/k", { method: "PUT", body: "1", headers });
    const target = await serve();
    await restore(target, await backup(source));
    expect((await target.json("/api/state/k", { method: "PUT", body: "1", headers })).body).toEqual(
      first.body,
    );
    expect((await target.json("/api/state/k", { method: "PUT", body: "1" })).body.version).toBe(2);
  });

  test("subscribers are closed with a name, positions of before are 410, and new ones begin anew (LOG-2)", async () => {
    const server = await serve();
    for (const topic of ["a", "b"]) await publish(server, topic);
    const bytes = await backup(server);
    for (let n = 0; n < 20; n++) await publish(server, "later");
    const socket = await openSocket(`${server.url}/api/events/subscribe?hello=1&after=0`);
    const { epoch } = JSON.parse(await socket.next()).hello;
    for (let n = 0; n < 22; n++) await socket.next();
    await restore(server, bytes);
    expect(await socket.closed).toMatchObject({ code: 4010, reason: expect.stringContaining("restored") });
    const old = await server.json(`/api/events/subscribe?after=2&epoch=${epoch}`, {
      headers: { Upgrade: "websocket" },
    });
    expect([old.status, old.body.reason]).toEqual([410, "gone"]);
    const anew = await openSocket(`${server.url}/api/events/subscribe?after=0`);
    for (let n = 0; n < 30; n++) await publish(server, `new${n}`);
    const topics: string[] = [];
    for (let n = 0; n < 32; n++) topics.push(JSON.parse(await anew.next()).topic);
    expect(topics).toEqual(["a", "b", ...Array.from({ length: 30 }, (_, n) => `new${n}`)]);
    anew.close();
  });

  test("long waits end, and event streams are ended with the same code", async () => {
    const server = await serve();
    await publish(server, "a");
    await put(server, "k", "1");
    const bytes = await backup(server);
    const stream = await server.ask("/api/events/stream?after=0");
    const text = stream.text();
    const waits = [
      server.ask("/api/events/next?after=1&wait=60s"),
      server.ask("/api/changes/next?after=1&wait=60s"),
      server.ask("/api/state/k?after_version=1&wait=60s"),
    ];
    await until(() => server.followers().waiting === 3);
    expect((await restore(server, bytes)).status).toBe(200);
    for (const answer of await Promise.all(waits)) expect(answer.status).toBeLessThan(500);
    expect(await text).toContain('"code":4010');
  });

  test("what is damaged or no backup is refused with what is wrong, and nothing is changed (LIMIT-1)", async () => {
    const server = await serve();
    await fill(server);
    const bytes = await backup(server);
    await put(server, "plan/a", "after");
    const socket = await openSocket(`${server.url}/api/events/subscribe`);
    const flipped = bytes.slice();
    flipped[bytes.length >> 1] = (flipped[bytes.length >> 1] as number) ^ 1;
    const newer = new TextEncoder().encode(
      new TextDecoder().decode(bytes).replace('"version":1', '"version":9'),
    );
    const bad: [Uint8Array, string][] = [
      [new Uint8Array(), "empty"],
      [new TextEncoder().encode("hello\n"), "this is no backup"],
      [bytes.slice(0, -40), "cut off"],
      [flipped, "damaged"],
      [newer, "newer Koor"],
      [Buffer.concat([bytes, bytes]), "comes after its end"],
    ];
    for (const [body, fault] of bad) {
      const answer = await restore(server, body);
      expect(answer).toMatchObject({ status: 400, body: { reason: "bad_request", path: "body" } });
      expect(answer.body.error).toContain(fault);
    }
    expect(await value(server, "plan/a")).toBe("after");
    expect(readdirSync(server.directory).filter((name) => name.includes("part"))).toEqual([]);
    // Nobody was disturbed.
    await publish(server, "still");
    expect(JSON.parse(await socket.next()).topic).toBe("still");
    socket.close();
  });

  test("other requests are told to come back while it runs, on REST, WebSocket, MCP and the dashboard", async () => {
    const server = await serve();
    await fill(server);
    for (let n = 0; n < 16; n++) await put(server, `large${n}`, "x".repeat(500_000));
    const bytes = await backup(server);
    const seen: Record<string, Set<number>> = {};
    let running = true;
    const meets = (status: number) => Object.values(seen).filter((statuses) => statuses.has(status)).length;
    const ask = async (name: string, url: string, init: RequestInit = {}) => {
      while (running) {
        const answer = await fetch(url, init);
        (seen[name] ??= new Set()).add(answer.status);
        if (answer.status === 503) {
          expect(answer.headers.get("retry-after")).toBe("2");
          expect(await answer.text()).toContain("Try again in 2 seconds.");
        }
        await Bun.sleep(1);
      }
    };
    const body = '{"jsonrpc":"2.0","id":1,"method":"tools/list"}';
    const mcp = { "Content-Type": "application/json", Accept: "application/json, text/event-stream" };
    const asking = [
      ask("read", `${server.url}/api/state/plan/a`),
      ask("write", `${server.url}/api/state/w`, { method: "PUT", body: "1" }),
      ask("socket", `${server.url}/api/events/subscribe`),
      ask("mcp", `${server.url}/mcp`, { method: "POST", body, headers: mcp }),
      ask("dashboard", `${server.dashboardUrl}/api/state`),
      ask("health", `${server.url}/health`),
    ];
    await until(() => Object.keys(seen).length === asking.length);
    // All but health meet one sooner or later, however the requests fall.
    do expect((await restore(server, bytes)).status).toBe(200);
    while (meets(503) < asking.length - 1);
    running = false;
    await Promise.all(asking);
    const { health, socket, ...others } = seen;
    expect([...(health ?? [])]).toEqual([200]);
    expect([...(socket ?? [])].toSorted((a, b) => a - b)).toEqual([400, 503]);
    for (const statuses of Object.values(others))
      expect([...statuses].toSorted((a, b) => a - b)).toEqual([200, 503]);
    expect(await value(server, "plan/a")).toBe('{"n":12345678901234567890}');
  });

  test("two at once are one: the second is told to come back", async () => {
    const server = await serve();
    const bytes = await backup(server);
    const gate = Promise.withResolvers<void>();
    const slow = new ReadableStream({
      async start(controller) {
        controller.enqueue(bytes.slice(0, 10));
        await gate.promise;
        controller.enqueue(bytes.slice(10));
        controller.close();
      },
    });
    const spooling = untilSpooling(server);
    const first = restore(server, slow);
    await spooling;
    expect((await restore(server, bytes)).status).toBe(503);
    // One that is still on its way keeps nobody out.
    expect(await put(server, "k", "v")).toBe(200);
    gate.resolve();
    expect((await first).status).toBe(200);
    expect(await value(server, "k")).toBe(404);
  });

  test("a client that leaves in the middle changes nothing and leaves nothing", async () => {
    const server = await serve();
    await put(server, "k", "v");
    const { hostname, port } = new URL(server.url);
    const socket = await Bun.connect({ hostname, port: Number(port), socket: { data() {} } });
    const spooling = untilSpooling(server);
    socket.write("POST /api/restore HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n{");
    await spooling;
    // However the server ended now, nothing would be left.
    await until(() => !readdirSync(server.directory).includes("restore.part"));
    socket.terminate();
    expect(await value(server, "k")).toBe("v");
    const bytes = await backup(server);
    await until(async () => (await restore(server, bytes)).status === 200);
  });

  test("a client that is interrupted once all was sent is told how to look, and the server changes nothing", async () => {
    const [server, at] = [await serve(), folder()];
    await put(server, "k", "of the backup");
    writeFileSync(join(at, "b"), await backup(server));
    await put(server, "k", "newer");
    // A restore waits for requests that are under way, and here for one whose body is not all there.
    const { hostname, port } = new URL(server.url);
    const socket = await Bun.connect({ hostname, port: Number(port), socket: { data() {} } });
    socket.write("PUT /api/state/slow HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n1");
    const program = Bun.spawn([process.execPath, cliProgram, "restore", "--file", "b"], {
      cwd: at,
      env: { PATH: process.env["PATH"] ?? "", KOOR_SERVER: server.url },
      stderr: "pipe",
    });
    await until(async () => (await value(server, "k")) === 503);
    program.kill("SIGINT");
    expect(await program.exited).toBe(130);
    expect(await new Response(program.stderr).text()).toContain("audit --action store.restore");
    await server.ask("/health");
    socket.write("2");
    await until(async () => (await value(server, "k")) !== 503);
    expect(await value(server, "k")).toBe("newer");
    expect((await server.json("/api/audit?action=store.restore")).body).toEqual([]);
    socket.end();
  });

  test("a body that says it is over the limit is refused before it is read (LIMIT-1)", async () => {
    const server = await serve();
    const head = `POST /api/restore HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: ${2 ** 40}\r\n\r\n`;
    expect(await sendRaw(server.url, head)).toStartWith("HTTP/1.1 413");
  });

  test("of a database under load, the backup is one moment: a revision and everything up to it", async () => {
    const server = await serve();
    let writing = true;
    const writers = Array.from({ length: 8 }, async (_, writer) => {
      for (let n = 0; writing; n++) {
        await put(server, `${writer}/${n % 20}`, `${n}`);
        await publish(server, `w${writer}.${n}`);
      }
    });
    await until(async () => (await server.json("/api/metrics")).body.last_event_id > 400);
    const bytes = await backup(server);
    writing = false;
    await Promise.all(writers);
    const rows = lines(bytes).map((line) => JSON.parse(line));
    const { heads } = rows[1];
    const versions = rows.slice(2).flatMap(({ version }) => version ?? []);
    const events = rows.flatMap(({ event }) => event ?? []);
    expect(events.at(-1).id).toBe(heads.events);
    // Each commit here writes one version or one event: all up to the revision are there, and none beyond.
    expect(versions.length + heads.events).toBe(heads.revision);
    expect(Math.max(...versions.map(({ revision }: { revision: number }) => revision))).toBeLessThanOrEqual(
      heads.revision,
    );
    const target = await serve();
    expect((await restore(target, bytes)).status).toBe(200);
    // Every writer's work is there up to some point, without a hole.
    for (let writer = 0; writer < 8; writer++) {
      const numbers = versions
        .filter(({ key }: { key: string }) => key.startsWith(`${writer}/`))
        .map(({ value }: { value: string }) => Number(atob(value)));
      expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, n) => n));
    }
  });
});

describe("koor-cli backup and restore", () => {
  const cli = (server: TestServer, cwd: string, ...argv: string[]) =>
    runCli(argv, { cwd, env: { KOOR_SERVER: server.url } });
  const counts =
    /^state keys: 1\nspecs: 1\nrules: 1\ninstances: 0\nversions: \d+\nevents: 2\ncalls of models: 0\naudit rows: \d+\n/;

  test("bring everything from one server to another, and say what it was", async () => {
    const [source, target, at] = [await serve(), await serve(), folder()];
    await fill(source);
    const made = await cli(source, at, "backup", "--output", "koor.backup");
    expect(made).toMatchObject({ exit: 0, stderr: "", stdout: expect.stringMatching(counts) });
    expect(readdirSync(at)).toEqual(["koor.backup"]);
    expect(statSync(join(at, "koor.backup")).mode & 0o077).toBe(0);
    const restored = await cli(target, at, "restore", "--file", "koor.backup");
    expect(restored).toMatchObject({ exit: 0, stderr: "", stdout: expect.stringMatching(counts) });
    expect(await value(target, "plan/a")).toBe('{"n":12345678901234567890}');
  });

  test("a file that is damaged is refused before a byte of it is sent", async () => {
    const [server, at] = [await serve(), folder()];
    await fill(server);
    await cli(server, at, "backup", "-o", "b");
    const bytes = readFileSync(join(at, "b"));
    writeFileSync(join(at, "cut"), bytes.subarray(0, bytes.length - 10));
    bytes[100] = (bytes[100] as number) ^ 1;
    writeFileSync(join(at, "flipped"), bytes);
    for (const [file, fault] of [
      ["cut", "cut off"],
      ["flipped", "checksum"],
      ["nothing", "no such file"],
      ["/dev/zero", "no regular file"],
    ] as const) {
      const { exit, stdout, stderr } = await runCli(["restore", "--file", file], {
        cwd: at,
        env: { KOOR_SERVER: "http://localhost:1" },
      });
      expect([exit, stdout]).toEqual([1, ""]);
      expect(stderr).toContain(fault);
    }
  });

  test("a backup that breaks off, or that cannot be written, leaves the old file as it was", async () => {
    const at = folder();
    writeFileSync(join(at, "b"), "the old one");
    const half = Bun.serve({
      port: 0,
      hostname: "localhost",
      fetch: () =>
        new Response('{"format":"koor-backup"}\n', { headers: { "Content-Type": "application/x-ndjson" } }),
    });
    disposals.push(() => half.stop(true));
    const broken = await runCli(["backup", "--output", "b"], {
      cwd: at,
      env: { KOOR_SERVER: half.url.href },
    });
    expect(broken).toMatchObject({ exit: 1, stdout: "", stderr: expect.stringContaining("not whole") });
    expect(readdirSync(at)).toEqual(["b"]);
    expect(readFileSync(join(at, "b"), "utf8")).toBe("the old one");
    mkdirSync(join(at, "folder"));
    const server = await serve();
    const unwritable = await cli(server, at, "backup", "--output", "folder");
    expect(unwritable).toMatchObject({
      exit: 1,
      stdout: "",
      stderr: expect.stringContaining("cannot write folder"),
    });
    expect(readdirSync(at).sort()).toEqual(["b", "folder"]);
    expect((await cli(server, at, "backup")).stderr).toContain("--output FILE");
  });

  /** Sends backups whose second half is held until it is told to go on. */
  async function slowServer() {
    const source = await serve();
    await fill(source);
    const bytes = await backup(source);
    const asked: (() => void)[] = [];
    const slow = Bun.serve({
      port: 0,
      hostname: "localhost",
      fetch: () => {
        const body = new ReadableStream({
          async start(controller) {
            controller.enqueue(bytes.slice(0, bytes.length >> 1));
            await new Promise<void>((resolve) => asked.push(resolve));
            controller.enqueue(bytes.slice(bytes.length >> 1));
            controller.close();
          },
        });
        return new Response(body, { headers: { "Content-Type": "application/x-ndjson" } });
      },
    });
    disposals.push(() => slow.stop(true));
    return { url: slow.url.href, bytes, asked };
  }

  test("two to the same file at once are two whole backups, and the file is the one that came last", async () => {
    const [{ url, bytes, asked }, at] = [await slowServer(), folder()];
    const begin = () => runCli(["backup", "--output", "b"], { cwd: at, env: { KOOR_SERVER: url } });
    const first = begin();
    await until(() => asked.length === 1);
    const second = begin();
    await until(() => asked.length === 2);
    for (const [go, run] of [
      [asked[1], second],
      [asked[0], first],
    ] as const) {
      go?.();
      expect(await run).toMatchObject({ exit: 0, stderr: "" });
      expect(readFileSync(join(at, "b"))).toEqual(Buffer.from(bytes));
    }
    expect(readdirSync(at)).toEqual(["b"]);
  });

  test.each(["SIGINT", "SIGTERM"] as const)("%s ends it, and leaves the old file alone", async (signal) => {
    const [{ url, asked }, at] = [await slowServer(), folder()];
    writeFileSync(join(at, "b"), "the old one");
    const program = Bun.spawn([process.execPath, cliProgram, "backup", "--output", "b"], {
      cwd: at,
      env: { PATH: process.env["PATH"] ?? "", KOOR_SERVER: url },
    });
    await until(() => asked.length === 1 && readdirSync(at).length === 2);
    program.kill(signal);
    await program.exited;
    expect(program.signalCode).toBe(signal);
    expect(readdirSync(at)).toEqual(["b"]);
    expect(readFileSync(join(at, "b"), "utf8")).toBe("the old one");
  });
});

/** A disk of so many MiB; undefined where that cannot be made, as without root. */
function smallDisk(mebibytes: number): string | undefined {
  const at = folder();
  const { exitCode } = Bun.spawnSync(["mount", "-t", "tmpfs", "-o", `size=${mebibytes}m`, "tmpfs", at]);
  if (exitCode !== 0) return undefined;
  disposals.push(() => Bun.spawnSync(["umount", at]));
  return at;
}

// PostgreSQL's disk is not the data directory's.
describe.skipIf(process.env["KOOR_TEST_ENGINE"] === "postgres")("a restore on a full disk (DISK-1)", () => {
  test("is refused with 507 and changes nothing, whether the backup has no room or the data", async () => {
    const source = await serve();
    for (let n = 0; n < 12; n++) await put(source, `k${n}`, `${n}`.repeat(250_000));
    const bytes = await backup(source);
    // The backup takes some 5 MiB. On the smaller disk it does not fit, on the larger one it fits, but not the data beside it.
    for (const size of [4, 7]) {
      const disk = smallDisk(size);
      if (!disk) return console.log("skipped: no tmpfs can be mounted here; it takes root");
      const directory = join(disk, "data");
      const server = await serve([], { directory });
      await put(server, "k", "before");
      const refused = await restore(server, bytes);
      expect([size, refused.status, refused.body.reason]).toEqual([size, 507, "out_of_space"]);
      expect(await value(server, "k")).toBe("before");
      expect(await put(server, "k", "after")).toBe(200);
      expect(readdirSync(directory).filter((name) => name.includes("part"))).toEqual([]);
      expect((await restore(server, await backup(server))).status).toBe(200);
      expect(await value(server, "k")).toBe("after");
    }
  });
});
