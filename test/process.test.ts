import { afterEach, describe, expect, test } from "bun:test";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  type Exit,
  type Program,
  type ServerProcess,
  type ServerStart,
  type Variables,
  run,
  serverProgram,
  start,
  startServer,
  temporaryFolder,
} from "../demo/compiled.ts";
import { options, settingName, variableName } from "../src/config.ts";
import { openSocket, sendRaw } from "./harness.ts";

/** The compiled server as a process: its files, its streams, its signals and its exit codes. */

const folders: string[] = [];
const programs: Program[] = [];

function folder(): string {
  const made = temporaryFolder();
  folders.push(made);
  return made;
}

async function serve(at = folder(), how: ServerStart = {}): Promise<ServerProcess> {
  const server = await startServer(at, how);
  programs.push(server);
  return server;
}

/** Starts a server that is expected not to come up. */
function refused(flags: readonly string[], env: Variables = {}, at = folder()): Promise<Exit> {
  const program = start([serverProgram, "--bind", "localhost:0", "--dashboard-bind", "", ...flags], at, env);
  programs.push(program);
  return program.exited;
}

/** Exit code 1, nothing on stdout, and one line on stderr: that line. */
function onlyLine({ code, stdout, stderr }: Exit): string {
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr).toMatch(/^koor-server: [^\n]+\n$/);
  return stderr;
}

afterEach(async () => {
  for (const program of programs) program.kill("SIGKILL");
  await Promise.all(programs.map(({ exited }) => exited));
  programs.length = 0;
  for (const made of folders) rmSync(made, { recursive: true, force: true });
  folders.length = 0;
});

async function stop(server: ServerProcess): Promise<Exit> {
  server.kill("SIGTERM");
  return server.exited;
}

async function put(server: ServerProcess, key: string, body: string): Promise<number> {
  const { status } = await fetch(`${server.url}/api/state/${key}`, { method: "PUT", body });
  return status;
}

async function get(server: ServerProcess, key: string): Promise<string> {
  return (await fetch(`${server.url}/api/state/${key}`)).text();
}

describe("what the server says", () => {
  test("it logs to stderr and leaves stdout empty, at every level", async () => {
    const server = await serve(folder(), { flags: ["--log-level", "debug"] });
    expect(await put(server, "plan", "{}")).toBe(200);
    await fetch(`${server.url}/api/nothing`);
    const { code, stdout, stderr } = await stop(server);
    expect({ code, stdout }).toEqual({ code: 0, stdout: "" });
    expect(stderr).toContain("listening on");
    expect(stderr).toContain("stopped");
  });

  test("--help lists every option and exits with 0", async () => {
    const { code, stdout, stderr } = await run([serverProgram, "--help"], folder());
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    for (const option of options) expect(stdout).toContain(`--${option.name}`);
    for (const flag of ["--config", "--help", "--version", "koor-server check", "koor-server backup"])
      expect(stdout).toContain(flag);
  });

  test("--version prints the version and leaves nothing behind", async () => {
    const at = folder();
    const { code, stdout } = await run([serverProgram, "--version"], at);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    expect(existsSync(join(at, "data.db"))).toBe(false);
  });

  test("a token never appears in the logs, nor a wrong one, nor an instance's", async () => {
    const token = "a-token-that-nobody-may-read";
    const server = await serve(folder(), {
      flags: ["--log-level", "debug"],
      env: { KOOR_AUTH_TOKEN: token },
    });
    const ask = (
      path: string,
      bearer: string,
      init: { method?: string; body?: string; headers?: Variables } = {},
    ) =>
      fetch(server.url + path, { ...init, headers: { ...init.headers, Authorization: `Bearer ${bearer}` } });
    const registered = await ask("/api/instances/register", token, { method: "POST", body: '{"name":"a"}' });
    const instance = (await registered.json()) as { token: string };
    const headers = { "Koor-Instance-Token": instance.token };
    expect((await ask("/api/state/k", token, { method: "PUT", body: "1", headers })).status).toBe(200);
    expect((await ask("/api/state/k", "a-wrong-token")).status).toBe(401);
    expect((await ask("/mcp", token, { method: "POST", body: "{" })).status).toBeGreaterThanOrEqual(400);
    const unknown = { "Koor-Instance-Token": "an-unknown-instance" };
    expect((await ask("/api/state", token, { headers: unknown })).status).toBe(401);
    expect((await fetch(`${server.url}/api/state?token=${token}`)).status).toBe(401);
    const { stderr } = await stop(server);
    for (const secret of [token, "a-wrong-token", instance.token, "an-unknown-instance"]) {
      expect(stderr).not.toContain(secret);
    }
  });
});

describe("configuration", () => {
  const bad: Record<string, string> = {
    bind: "nowhere",
    "dashboard-bind": "localhost:99999",
    "data-dir": "",
    "auth-token": "two words",
    "log-level": "loud",
    "event-retention": "0",
    "history-retention": "0",
    "mcp-tools": "all",
    "allowed-origins": "https://a.example/path",
    insecure: "perhaps",
  };

  test.each(Object.entries(bad))("a bad --%s is refused, with what is allowed", async (name, value) => {
    const option = options.find((candidate) => candidate.name === name);
    if (!option) throw new Error(`no option ${name}`);
    const [byFlag, byVariable, bySetting] = await Promise.all([
      refused([`--${name}=${value}`]),
      run([serverProgram], folder(), { [variableName(option)]: value }),
      run([serverProgram], withSettings(JSON.stringify({ [settingName(option)]: value }))),
    ]);
    for (const [exit, said] of [
      [byFlag, `--${name}`],
      [byVariable, variableName(option)],
      [bySetting, `"${settingName(option)}" in settings`],
    ] as const) {
      const line = onlyLine(exit);
      expect(line).toContain(said);
      expect(line).toContain(`Allowed: ${option.allowed}.`);
    }
  });

  test("a bad token is not repeated", async () => {
    expect(onlyLine(await refused(["--auth-token", "two words"]))).not.toContain("two words");
  });

  test("an unknown option and one without its value are refused", async () => {
    expect(onlyLine(await refused(["--prot", "1"]))).toContain("unknown option --prot");
    expect(onlyLine(await refused(["--data-dir"]))).toContain("--data-dir needs a value");
  });

  test("a settings file that is no JSON, no object, or has an unknown key is refused", async () => {
    const from = async (text: string) => onlyLine(await refused([], {}, withSettings(text)));
    expect(await from("{ bind: 1")).toContain("settings.json is not JSON");
    expect(await from("[]")).toContain("settings.json must hold a JSON object");
    expect(await from('{"prot": 1}')).toContain('"prot" in settings.json is no setting. Allowed: bind');
    expect(await from('{"bind": {}}')).toContain('"bind" in settings.json must be');
  });

  test("a settings file that --config names must be there", async () => {
    expect(onlyLine(await refused(["--config", "other.json"]))).toContain("other.json cannot be read");
  });

  test("koor-cli's server and token may stand in the settings, and are not the server's", async () => {
    const at = withSettings('{"server":"http://localhost:1","token":"the-clients","event_retention":5}');
    const server = await serve(at);
    expect((await fetch(`${server.url}/api/state`)).status).toBe(200);
  });

  test("flags win over variables, and variables over settings", async () => {
    const settings = JSON.stringify({ data_dir: "from-settings", log_level: "error" });
    const env = { KOOR_DATA_DIR: "from-variable", KOOR_LOG_LEVEL: "info" };
    const server = await serve(withSettings(settings), { flags: ["--data-dir", "from/flag"], env });
    const has = (name: string) => existsSync(join(server.folder, name, "data.db"));
    expect([has("from/flag"), has("from-variable"), has("from-settings")]).toEqual([true, false, false]);
  });

  // 192.0.2.1 is nobody's (RFC 5737), so that no test opens a door to other machines.
  test("an address beyond this machine needs a token, or --insecure", async () => {
    const flags = ["--bind", "192.0.2.1:0"];
    const line = onlyLine(await refused(flags));
    expect(line).toContain("--bind 192.0.2.1:0 can be reached from other machines");
    expect(line).toContain("KOOR_AUTH_TOKEN");
    expect(line).toContain("--insecure");
    expect(onlyLine(await refused(["--dashboard-bind", "0.0.0.0:0"]))).toContain(
      "--dashboard-bind 0.0.0.0:0",
    );
    for (const exit of [refused([...flags, "--insecure"]), refused(flags, { KOOR_AUTH_TOKEN: "secret" })]) {
      expect(onlyLine(await exit)).not.toContain("can be reached from other machines");
    }
  });

  test("an address that is in use is said in one line, with what to do", async () => {
    const listener = Bun.listen({ hostname: "localhost", port: 0, socket: { data() {} } });
    try {
      const line = onlyLine(await refused(["--bind", `localhost:${listener.port}`]));
      expect(line).toStartWith(
        `koor-server: port ${listener.port} is in use. If it is a Koor server, use that one`,
      );
      expect(line).toContain("--bind");
      // Agents do as they are told, and it may be the server of all the others.
      expect(line).not.toMatch(/stop/i);
    } finally {
      listener.stop(true);
    }
  });

  // Bun shares a port among processes unless told not to: each connection would meet one server or the other.
  test("two servers never share a port, nor do the API and the dashboard of one", async () => {
    const first = await serve();
    const { host } = new URL(first.url);
    const inUse = /ended with 1: koor-server: .*in use.*--bind/;
    await expect(serve(folder(), { flags: ["--bind", host] })).rejects.toThrow(inUse);
    await expect(serve(folder(), { flags: ["--dashboard-bind", host] })).rejects.toThrow(inUse);
    await stop(first);
    const both = ["--bind", host, "--dashboard-bind", host];
    await expect(serve(folder(), { flags: both })).rejects.toThrow(inUse);
  });

  function withSettings(text: string): string {
    const at = folder();
    writeFileSync(join(at, "settings.json"), text);
    return at;
  }
});

describe("the data directory", () => {
  test("a second server on it refuses at once, naming the first (DUR-3)", async () => {
    const first = await serve();
    let isOver = false;
    const second = refused(["--data-dir", first.folder]).finally(() => (isOver = true));
    let others = 0;
    for (; !isOver; others++) await run([serverProgram, "--version"], first.folder);
    const line = onlyLine(await second);
    expect(line).toContain(`process ${first.pid}`);
    expect(line).toContain("--data-dir");
    expect(line).not.toMatch(/stop/i);
    // Counted, never timed: as long as some others take that only start. One that waits for the lock lets many pass.
    expect(others).toBeLessThan(15);
    expect(await put(first, "still", "here")).toBe(200);
  });

  test("what was written is there after a graceful stop, and after a kill, and no lock is left behind (DUR-3)", async () => {
    const at = folder();
    for (const [round, signal] of (["SIGTERM", "SIGKILL"] as const).entries()) {
      const server = await serve(at);
      expect(await put(server, "kept", `round ${round}`)).toBe(200);
      server.kill(signal);
      await server.exited;
      const next = await serve(at);
      expect(await get(next, "kept")).toBe(`round ${round}`);
      await stop(next);
    }
  });
});

/** A PUT whose head the server has, since it asked for the body: resolves then. */
async function beginPut(server: ServerProcess, key: string, length: number) {
  const { hostname, port } = new URL(server.url);
  const [begun, ended] = [Promise.withResolvers<void>(), Promise.withResolvers<string>()];
  const goOn = "HTTP/1.1 100 Continue\r\n\r\n";
  let answer = "";
  const socket = await Bun.connect({
    hostname,
    port: Number(port),
    socket: {
      data(_, chunk) {
        answer += chunk.toString();
        if (answer.startsWith(goOn)) begun.resolve();
      },
      close: () => ended.resolve(answer.slice(goOn.length)),
    },
  });
  const lines = [`PUT /api/state/${key} HTTP/1.1`, "Host: localhost", "Connection: close"];
  lines.push("Expect: 100-continue", `Content-Length: ${length}`);
  socket.write(`${lines.join("\r\n")}\r\n\r\n`);
  await begun.promise;
  return { write: (text: string) => socket.write(text), answer: ended.promise };
}

async function refusesConnections(server: ServerProcess): Promise<void> {
  while (
    await fetch(`${server.url}/health`).then(
      () => true,
      () => false,
    )
  )
    await Bun.sleep(5);
}

describe("SIGTERM (STOP-1)", () => {
  test("it finishes a running request, refuses new ones, and exits with 0", async () => {
    const server = await serve();
    const body = "x".repeat(1000);
    const request = await beginPut(server, "late", body.length);
    request.write(body.slice(0, 500));
    server.kill("SIGTERM");
    await refusesConnections(server);
    request.write(body.slice(500));
    expect(await request.answer).toStartWith("HTTP/1.1 200");
    const { code, stdout } = await server.exited;
    expect({ code, stdout }).toEqual({ code: 0, stdout: "" });
    expect(await get(await serve(server.folder), "late")).toBe(body);
  });

  test("it closes WebSockets with 1001, and with the position to go on from", async () => {
    const server = await serve();
    const socket = await openSocket(`${server.url}/api/events/subscribe`);
    await fetch(`${server.url}/api/events/publish`, { method: "POST", body: '{"topic":"a"}' });
    await socket.next();
    const { code } = await stop(server);
    const closed = await socket.closed;
    expect(code).toBe(0);
    expect(closed.code).toBe(1001);
    expect(closed.reason).toContain("after=1");
  });

  test("a request that never comes to its end holds it up for the grace of some seconds, no longer", async () => {
    const server = await serve();
    const request = await beginPut(server, "late", 1_000_000);
    // It goes on and on, so that nothing but the grace ends it.
    const drip = setInterval(() => request.write("x"), 100);
    expect((await stop(server)).code).toBe(0);
    clearInterval(drip);
    expect(await request.answer).not.toContain(" 200 ");
  });

  test("idle connections do not hold it up", async () => {
    const server = await serve();
    await fetch(`${server.url}/health`, { keepalive: true });
    const { hostname, port } = new URL(server.url);
    await Bun.connect({ hostname, port: Number(port), socket: { data() {} } });
    expect((await stop(server)).code).toBe(0);
  });

  test("SIGINT, as from Ctrl-C, does the same, also when it comes as soon as the server says that it listens", async () => {
    const servers = await Promise.all(
      Array.from({ length: 5 }, async () => {
        const server = await serve();
        server.kill("SIGINT");
        return server;
      }),
    );
    for (const { exited } of servers) {
      const { code, stderr } = await exited;
      expect(code).toBe(0);
      expect(stderr).toContain("stopped");
    }
  });
});

describe("what comes over the wire", () => {
  test("half-sent requests are dropped after some ten seconds, while others go on", async () => {
    const server = await serve();
    const dropped = async (request: string) => {
      const from = performance.now();
      const answer = await sendRaw(server.url, request);
      return { seconds: (performance.now() - from) / 1000, answer };
    };
    const half = [
      "PUT /api/state/half HTTP/1.1\r\nHost: localhost\r\nContent-",
      "PUT /api/state/half HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n",
      `PUT /api/state/half HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n${"x".repeat(50)}`,
      "PUT /api/state/half HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
    ];
    let waiting = true;
    const all = Promise.all(half.map(dropped)).finally(() => (waiting = false));
    for (let n = 0; waiting; n++) {
      expect(await put(server, "whole", `${n}`)).toBe(200);
      await Bun.sleep(100);
    }
    for (const { seconds, answer } of await all) {
      // A status may be sent before the close, but never that of a success.
      expect(answer).not.toContain(" 200 ");
      // Who is slow has some time; a slow machine only makes it more.
      expect(seconds).toBeGreaterThan(5);
    }
    expect((await fetch(`${server.url}/api/state/half`)).status).toBe(404);
    expect((await stop(server)).stderr).not.toMatch(/\[ERR\]/);
  });

  test("curl does everything a plain user expects of it", async () => {
    const server = await serve();
    const curl = async (...args: string[]) => {
      const { code, stdout } = await run(["curl", "--silent", "--show-error", ...args], server.folder);
      expect(code).toBe(0);
      return stdout;
    };
    const key = `${server.url}/api/state/plan/today`;
    expect(JSON.parse(await curl(`${server.url}/health`)).status).toBe("ok");
    expect(JSON.parse(await curl("-X", "PUT", "-d", '{"step": 1}', key))).toMatchObject({
      key: "plan/today",
      version: 1,
      content_type: "application/json",
    });
    const answer = await curl("-i", key);
    expect(answer).toStartWith("HTTP/1.1 200");
    expect(answer).toEndWith('{"step": 1}');
    const [, etag = ""] = /^etag: (.+)\r$/im.exec(answer) ?? [];
    const status = ["-o", "/dev/null", "-w", "%{http_code}"];
    expect(await curl(...status, "-H", `If-None-Match: ${etag}`, key)).toBe("304");
    writeFileSync(join(server.folder, "plan.txt"), "two\n");
    expect(JSON.parse(await curl("-T", "plan.txt", key)).version).toBe(2);
    expect(await curl(key)).toBe("two\n");
    expect(await curl("-I", key)).toContain("HTTP/1.1 200");
    const event = await curl(
      "-d",
      '{"topic":"plan.done","data":{"n":12345678901234567890}}',
      `${server.url}/api/events/publish`,
    );
    expect(event).toContain('"id":1,"topic":"plan.done","data":{"n":12345678901234567890}');
    expect(JSON.parse(await curl("-X", "DELETE", key))).toEqual({ deleted: "plan/today" });
    expect(await curl(...status, key)).toBe("404");
  });
});
