import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { connectionFailure } from "../client/client-error.ts";
import { commandNames } from "./find-command.ts";
import {
  type RunOptions,
  type Seen,
  emptyDirectory,
  openSmallServer,
  refuse,
  runCli,
} from "./io-for-tests.ts";

let answer: (seen: Seen) => Response = () => Response.json({});
const server = openSmallServer((seen) => answer(seen));
afterAll(() => server.close());
beforeEach(() => {
  server.seen.length = 0;
  answer = () => Response.json({});
});

/** Runs a command line, split at spaces, against the small server. */
const cli = (line: string | string[], options: RunOptions = {}) =>
  runCli(typeof line === "string" ? line.split(" ") : line, {
    ...options,
    env: { KOOR_SERVER: server.url, ...options.env },
  });

const last = () => server.seen.at(-1) as Seen;

function stored(body: BodyInit, type = "application/json"): Response {
  const headers = { "Content-Type": type, ETag: '"3-abc"', "X-Koor-Version": "3", "X-Koor-Hash": "abcdef" };
  return new Response(body, { headers });
}

describe("requests", () => {
  test.each([
    ["state get a/b c", "GET /api/state/a/b%20c"],
    ["state get ü/%2F?#", "GET /api/state/%C3%BC/%252F%3F%23"],
    ["state get a//b/../c", "GET /api/state/a%2F%2Fb%2F..%2Fc"],
    ["state get /a", "GET /api/state/%2Fa"],
    ["specs get p/n/m", "GET /api/specs/p/n%2Fm"],
    ["specs list p q", "GET /api/specs/p%20q"],
    ["rules accept p/r", "POST /api/rules/p/r/accept"],
    ["state get a --version 3 --pick /b/c", "GET /api/state/a?version=3&pick=%2Fb%2Fc"],
    ["state history a --limit 5", "GET /api/state/a?history=1&limit=5"],
    ["state diff a --v2 5 --v1 3", "GET /api/state/a?diff=3%2C5"],
    ["state rollback a --version 3", "POST /api/state/a?rollback=3"],
    ["specs history p/n --limit 5", "GET /api/specs/p/n?history=1&limit=5"],
    ["specs diff p/n --v1 3 --v2 5", "GET /api/specs/p/n?diff=3%2C5"],
    ["specs rollback p/n --version 3", "POST /api/specs/p/n?rollback=3"],
    ["state list --prefix a&b --limit 5", "GET /api/state?prefix=a%26b&limit=5"],
    [
      "events history --from 2026-11-01T12:00:00+01:00",
      "GET /api/events/history?from=2026-11-01T12%3A00%3A00%2B01%3A00",
    ],
    ["instances list", "GET /api/instances"],
    ["status", "GET /health"],
  ])("%s is %s", async (line, expected) => {
    const words = line.split(" ");
    // The last word of the first ones holds a space itself.
    const argv =
      line.includes("--") || words.length < 4 ? words : [...words.slice(0, 2), words.slice(2).join(" ")];
    answer = () => stored("{}");
    expect(await cli(argv)).toMatchObject({ exit: 0, stderr: "" });
    expect(`${last().method} ${last().path}`).toBe(expected);
  });

  test("flags and words become the body's fields; lists are split at commas", async () => {
    await cli(["register", "backend", "--intent", 'say "hi"', "--capabilities", "go, sql,,"]);
    expect(last()).toMatchObject({ method: "POST", path: "/api/instances/register" });
    expect(JSON.parse(last().body)).toEqual({
      name: "backend",
      intent: 'say "hi"',
      capabilities: ["go", "sql"],
    });
    expect(last().headers.get("content-type")).toBe("application/json");
  });

  test("a list is not split at commas inside braces, which are a glob's", async () => {
    const patterns = async (list: string) => {
      await cli(["webhooks", "add", "--id", "w", "--url", "https://example.com", "--patterns", list]);
      return JSON.parse(last().body).patterns;
    };
    expect(await patterns("{a,b}.x, c.*")).toEqual(["{a,b}.x", "c.*"]);
    expect(await patterns("{a,{b,c}}.x,d},{e,f")).toEqual(["{a,{b,c}}.x", "d}", "{e,f"]);
  });

  test("patches and transactions go out as they were given", async () => {
    await cli(["state", "patch", "plan", "--data", '{"n": 12345678901234567890}', "--if-version", "3"]);
    expect(last()).toMatchObject({
      method: "PATCH",
      path: "/api/state/plan",
      body: '{"n": 12345678901234567890}',
    });
    expect(last().headers.get("content-type")).toBe("application/json");
    expect(last().headers.get("x-koor-if-version")).toBe("3");
    await cli(["txn", "--data", '{"do": [{"put": {"key": "k", "value": 1.10}}]}']);
    expect(last()).toMatchObject({
      method: "POST",
      path: "/api/txn",
      body: '{"do": [{"put": {"key": "k", "value": 1.10}}]}',
    });
  });

  test("published data goes out as the text that was given", async () => {
    await cli(["events", "publish", "api.change", "--data", '{"n": 12345678901234567890}']);
    expect(last().body).toBe('{"topic":"api.change","data":{"n": 12345678901234567890}}');
  });

  test("published data that is no JSON is refused here, before it could become another field", async () => {
    for (const data of ["hello", '1,"topic":"x"', ""]) {
      const { exit, stderr } = await cli(["events", "publish", "t", "--data", data]);
      expect({ exit, stderr }).toEqual({ exit: 1, stderr: expect.stringContaining("--data is not JSON") });
    }
    expect(server.seen).toEqual([]);
  });

  test("conditions become headers, with the quotes that shells eat", async () => {
    await cli("state set k --data 1 --if-match 3-abc");
    expect(last().headers.get("if-match")).toBe('"3-abc"');
    await cli(["state", "set", "k", "--data", "1", "--if-match", '"3-abc"', "--if-version", "3"]);
    expect(last().headers.get("if-match")).toBe('"3-abc"');
    expect(last().headers.get("x-koor-if-version")).toBe("3");
    await cli("state set k --data 1 --if-absent");
    expect(last().headers.get("if-none-match")).toBe("*");
    await cli("specs delete p/n --if-version 0");
    expect(last().headers.get("x-koor-if-version")).toBe("0");
    expect(await cli("state list --if-version 1")).toMatchObject({ exit: 1 });
  });

  test("--idempotency-key goes along with whatever writes, and nothing that reads takes it", async () => {
    for (const line of [
      "state set k --data 1",
      "state delete k",
      "txn --data {}",
      "events publish t",
      "lease acquire a",
      "templates create --id i --name n --data {}",
    ]) {
      await cli(`${line} --idempotency-key k-1`);
      expect([line, last().headers.get("idempotency-key")]).toEqual([line, "k-1"]);
      await cli(line);
      expect([line, last().headers.get("idempotency-key")]).toEqual([line, null]);
    }
    await cli("lease acquire a --idempotency-key k-1");
    expect(JSON.parse(last().body)).toEqual({ paths: ["a"] });
    expect((await cli("state get k --idempotency-key k-1")).stderr).toContain(
      "unknown flag --idempotency-key",
    );
  });

  test("the server's token and the instance's own go as headers", async () => {
    await cli("status", { env: { KOOR_TOKEN: "t", KOOR_INSTANCE_TOKEN: "i" } });
    expect(last().headers.get("authorization")).toBe("Bearer t");
    expect(last().headers.get("koor-instance-token")).toBe("i");
  });
});

describe("leases", () => {
  test("KOOR_FENCE goes along with what is written, and with nothing else", async () => {
    const env = { KOOR_FENCE: "l:7" };
    await cli("state set k --data 1", { env });
    expect(last().headers.get("koor-fence")).toBe("l:7");
    await cli("events publish t", { env });
    expect(last().headers.get("koor-fence")).toBe("l:7");
    await cli("state list", { env });
    expect(last().headers.get("koor-fence")).toBeNull();
    expect(await cli("status", { env: { KOOR_FENCE: "a b" } })).toMatchObject({ exit: 1 });
  });

  test("lease acquire sends no fence, so that whoever lost a lease can take another one", async () => {
    await cli("lease acquire a", { env: { KOOR_FENCE: "lost:7" } });
    expect(last().path).toBe("/api/leases");
    expect(last().headers.get("koor-fence")).toBeNull();
  });

  test("lease acquire passes on its paths and flags, as they are", async () => {
    await cli([
      "lease",
      "acquire",
      "src/**",
      "a b",
      "--ttl",
      "1h",
      "--wait=30s",
      "--mode",
      "shared",
      "--note",
      "why",
    ]);
    expect(last()).toMatchObject({ method: "POST", path: "/api/leases" });
    expect(JSON.parse(last().body)).toEqual({
      paths: ["src/**", "a b"],
      ttl: "1h",
      wait: "30s",
      mode: "shared",
      note: "why",
    });
    expect(await cli("lease acquire")).toMatchObject({
      exit: 1,
      stderr: expect.stringContaining("lease acquire PATH..."),
    });
    expect(await cli("lease acquire a --until 1h")).toMatchObject({ exit: 1 });
  });
});

describe("bodies", () => {
  const typeFor = async (argv: string[], options: RunOptions = {}) => {
    await cli(["state", "set", "k", ...argv], options);
    return last().headers.get("content-type");
  };

  test("the content type is --type, else the ending's, else JSON, else text", async () => {
    const cwd = emptyDirectory();
    for (const name of ["a.json", "b.yaml", "c.md", "d.unknown", "e"])
      writeFileSync(join(cwd, name), "# no json");
    writeFileSync(join(cwd, "f"), "[1]");
    writeFileSync(join(cwd, "g"), new Uint8Array([0xff, 0xfe, 0]));
    expect(await typeFor(["--file", "a.json"], { cwd })).toBe("application/json");
    expect(await typeFor(["--file", "b.yaml"], { cwd })).toBe("application/yaml");
    expect(await typeFor(["--file", "c.md"], { cwd })).toBe("text/markdown");
    expect(await typeFor(["--file", "d.unknown"], { cwd })).toBe("text/plain");
    expect(await typeFor(["--file", "e"], { cwd })).toBe("text/plain");
    expect(await typeFor(["--file", "f"], { cwd })).toBe("application/json");
    expect(await typeFor(["--file", "g"], { cwd })).toBe("application/octet-stream");
    expect(await typeFor(["--file", "a.json", "--type", "text/x"], { cwd })).toBe("text/x");
    expect(await typeFor(["--data", "{}"])).toBe("application/json");
    expect(await typeFor(["--data", "hello"])).toBe("text/plain");
  });

  test("what can only be JSON is sent as that unless --type says otherwise, so that the fault in it is told", async () => {
    const cwd = emptyDirectory();
    writeFileSync(join(cwd, "p.yaml"), "a: 1");
    for (const [argv, type] of [
      [["--data", "junk"], "application/json"],
      [["--file", "p.yaml"], "application/json"],
      [["--data", "{}", "--type", "application/merge-patch+json"], "application/merge-patch+json"],
      [["--data", "{}", "--type", "text/plain"], "text/plain"],
    ] as const) {
      await cli(["state", "patch", "k", ...argv], { cwd });
      expect([argv, last().headers.get("content-type")]).toEqual([argv, type]);
    }
  });

  test("standard input is a dash, or the file named so", async () => {
    await cli("state set k -", { stdin: "from a pipe" });
    expect(last().body).toBe("from a pipe");
    await cli("rules import --file -", { stdin: "[]" });
    expect(last()).toMatchObject({ path: "/api/rules/import", body: "[]" });
  });

  test("a key can be a dash", async () => {
    await cli("state set - --data 1");
    expect(last().path).toBe("/api/state/-");
    await cli("state set - -", { stdin: "2" });
    expect(last()).toMatchObject({ path: "/api/state/-", body: "2" });
  });

  test("a body comes from exactly one place, and a file that is missing is named", async () => {
    expect((await cli("state set k")).stderr).toContain("--file PATH, --data TEXT or -");
    expect((await cli("state set k - --data 1")).stderr).toContain("one place");
    expect(await cli("state set k --file nowhere.json")).toMatchObject({
      exit: 1,
      stderr: "koor-cli: cannot read nowhere.json: there is no such file",
    });
    expect(server.seen).toEqual([]);
  });

  test("a body over the limit is not sent, wherever it comes from, nor read to its end", async () => {
    const cwd = emptyDirectory();
    const large = new Uint8Array(10 * 1024 * 1024 + 1);
    writeFileSync(join(cwd, "large"), large);
    writeFileSync(join(cwd, "largest"), large.subarray(1));
    for (const [command, stdin] of [
      ["state set k -", large],
      ["state set k --file large", ""],
      ["state set k --file /dev/zero", ""],
    ] as const)
      expect(await cli(command, { cwd, stdin })).toMatchObject({
        exit: 1,
        stderr: "koor-cli: the body is over its limit of 10485760 bytes",
      });
    expect(server.seen).toEqual([]);
    await cli("state set k --file largest", { cwd });
    expect(last().body.length).toBe(10 * 1024 * 1024);
  });
});

describe("answers", () => {
  test("a value goes to stdout byte for byte", async () => {
    const bytes = new Uint8Array([0, 255, 10, 13, 128]);
    answer = () => stored(bytes, "image/png");
    expect(new Uint8Array((await cli("state get k")).bytes)).toEqual(bytes);
  });

  test("--pretty indents, and keeps long numbers", async () => {
    answer = () => stored('{"n":12345678901234567890}');
    expect((await cli("--pretty state get k")).stdout).toBe('{\n  "n": 12345678901234567890\n}\n');
  });

  test("--output writes the body to a file and prints a receipt in one line", async () => {
    answer = () => stored('{"a":1}');
    const cwd = emptyDirectory();
    const { stdout } = await cli("state get plan -o out.json", { cwd });
    expect(readFileSync(join(cwd, "out.json"), "utf8")).toBe('{"a":1}');
    expect(stdout.endsWith("}\n")).toBe(true);
    expect(JSON.parse(stdout)).toEqual({
      key: "plan",
      file: "out.json",
      bytes: 7,
      content_type: "application/json",
      version: 3,
      hash: "abcdef",
      etag: '"3-abc"',
    });
    expect(JSON.parse((await cli("specs get p/n --output s", { cwd })).stdout)).toMatchObject({
      project: "p",
      name: "n",
      version: 3,
    });
  });

  test("--output writes a new file beside the old one, which then takes its name and has its mode", async () => {
    answer = () => stored("new");
    const cwd = emptyDirectory();
    const [file, link, first] = [join(cwd, "real"), join(cwd, "link"), join(cwd, "first")];
    writeFileSync(file, "old");
    chmodSync(file, 0o640);
    symlinkSync("real", link);
    symlinkSync("later", first);
    // Who has the old one open sees that it was not written to: then no full disk can destroy it.
    const old = openSync(file, "r");
    expect(await cli("state get k -o link", { cwd })).toMatchObject({ exit: 0, stderr: "" });
    expect(readFileSync(old, "utf8")).toBe("old");
    closeSync(old);
    expect(readFileSync(file, "utf8")).toBe("new");
    expect((statSync(file).mode & 0o777).toString(8)).toBe("640");
    // Where a link leads a file is made, too.
    expect(await cli("state get k -o first", { cwd })).toMatchObject({ exit: 0, stderr: "" });
    expect(readFileSync(join(cwd, "later"), "utf8")).toBe("new");
    expect([readlinkSync(link), readlinkSync(first)]).toEqual(["real", "later"]);
    expect(readdirSync(cwd).toSorted()).toEqual(["first", "later", "link", "real"]);
  });

  test("what --output cannot write stays as it is, and is said with why", async () => {
    answer = () => stored("new");
    const cwd = emptyDirectory();
    mkdirSync(join(cwd, "folder"));
    for (const [output, fault] of [
      ["folder", "it is a directory"],
      ["nowhere/out", "there is no such directory"],
    ] as const)
      expect(await cli(`state get k -o ${output}`, { cwd })).toMatchObject({
        exit: 1,
        stdout: "",
        stderr: `koor-cli: cannot write ${output}: ${fault}`,
      });
    expect(readdirSync(cwd)).toEqual(["folder"]);
  });

  test("lists can go to a file, too", async () => {
    answer = () => Response.json([{ rule_id: "r" }]);
    const cwd = emptyDirectory();
    expect((await cli("rules export --source local,learned --output rules.json", { cwd })).stdout).toBe(
      '{"file":"rules.json","bytes":17}\n',
    );
    expect(last().path).toBe("/api/rules/export?source=local%2Clearned");
  });

  test("what has not changed prints nothing; with --output a receipt, and the file stays", async () => {
    answer = ({ headers }) =>
      new Response(null, {
        status: 304,
        headers: { ETag: headers.get("if-none-match") as string, "X-Koor-Version": "3" },
      });
    expect(await cli("state get k --if-none-match 3-abc")).toMatchObject({ exit: 0, stdout: "", stderr: "" });
    const cwd = emptyDirectory();
    writeFileSync(join(cwd, "out"), "old");
    const { stdout } = await cli("state get k --if-none-match 3-abc --output out", { cwd });
    expect(JSON.parse(stdout)).toEqual({ key: "k", not_modified: true, version: 3, etag: '"3-abc"' });
    expect(readFileSync(join(cwd, "out"), "utf8")).toBe("old");
  });
});

describe("failures", () => {
  test.each([
    [404, "not_found", 3],
    [409, "already_exists", 4],
    [412, "version_mismatch", 4],
    [410, "gone", 4],
    [401, "unauthorized", 5],
    [403, "forbidden", 5],
    [400, "bad_request", 1],
    [500, "internal", 1],
  ])("%d %s exits with %d", async (status, reason, exit) => {
    answer = () => refuse(status, { error: "what went wrong", reason });
    expect(await cli("state get k")).toMatchObject({ exit, stdout: "", stderr: "koor-cli: what went wrong" });
    // A server without reasons.
    answer = () => refuse(status, { error: "what went wrong" });
    expect((await cli("state get k")).exit).toBe(exit);
  });

  test("a refusal is one line with its hint and the current version, whatever it holds", async () => {
    answer = () =>
      refuse(412, {
        error: "version\nmismatch\u001b[2J",
        reason: "version_mismatch",
        current: 7,
        hint: "Read it again.",
      });
    expect((await cli("state delete k --if-version 3")).stderr).toBe(
      "koor-cli: version mismatch [2J. The version is 7 now. Read it again",
    );
  });

  test("a refusal says where in the request the fault is, unless it names it itself", async () => {
    answer = () => refuse(412, { error: "it does not exist", reason: "version_mismatch", path: "if.1" });
    expect((await cli("txn --data {}")).stderr).toBe("koor-cli: it does not exist (if.1)");
    answer = () => refuse(400, { error: "if.1 must be an object", reason: "bad_request", path: "if.1" });
    expect((await cli("txn --data {}")).stderr).toBe("koor-cli: if.1 must be an object");
  });

  test("no server is one line that says what to do", async () => {
    const env = { KOOR_SERVER: "http://127.0.0.1:1" };
    expect(await runCli(["status"], { env })).toMatchObject({
      exit: 1,
      stdout: "",
      stderr:
        "koor-cli: no Koor server at http://127.0.0.1:1: is that the address, and does one run there? " +
        "KOOR_SERVER says where it is, or server in settings.json",
    });
  });

  test("another kind of server is told from Koor", async () => {
    answer = () => new Response("<h1>It works</h1>", { headers: { "Content-Type": "text/html" } });
    expect(await cli("status")).toMatchObject({
      exit: 1,
      stdout: "",
      stderr: expect.stringContaining("is not Koor"),
    });
    answer = () => new Response("nope", { status: 404 });
    expect(await cli("state get k")).toMatchObject({
      exit: 1,
      stderr: expect.stringContaining("not as Koor does"),
    });
  });

  test("an unknown command names the nearest", async () => {
    const nearest = async (line: string) => /did you mean "([^"]+)"/.exec((await cli(line)).stderr)?.[1];
    expect(await nearest("stat get k")).toBe("state get");
    expect(await nearest("state gte k")).toBe("state get");
    expect(await nearest("statsu")).toBe("status");
    expect(await nearest("state put k")).toBe("state set");
    expect(await nearest("state rm k")).toBe("state delete");
    expect(await nearest("version")).toBe("--version");
    expect(await nearest("frobnicate")).toBeUndefined();
    expect(await nearest("config st x y")).toBe("config set");
    expect(await nearest("subscribe x")).toBe("events subscribe");
    expect(await cli("bogus")).toMatchObject({ exit: 1, stdout: "" });
    expect((await cli("bogus")).stderr.split("\n")).toHaveLength(1);
  });

  test("a group alone, a missing word, a word too many and an unknown flag are told in one line", async () => {
    expect((await cli("state")).stderr).toContain("state list, state get, state history");
    expect((await cli("state get")).stderr).toBe("koor-cli: state get needs KEY: koor-cli state get --help");
    expect((await cli(["state", "get", ""])).stderr).toContain("KEY must not be empty");
    expect((await cli("state get a b")).stderr).toBe(
      'koor-cli: state get: what is "b"? The command is: koor-cli state get KEY',
    );
    expect((await cli("state list --limt 5")).stderr).toContain("did you mean --limit?");
    expect((await cli("state list --limit")).stderr).toContain("state list: --limit needs a value");
    expect((await cli("lease acquire a --wait")).stderr).toContain("lease acquire: --wait needs a value");
    expect((await cli("specs get p")).stderr).toContain("is not PROJECT/NAME");
    expect((await runCli([])).stderr).toContain("no command given");
    expect(server.seen).toEqual([]);
  });

  test("a flag that no command knows is unknown, with a value or without; what is no flag goes behind --", async () => {
    for (const line of ["state get plan --Pretty", "state get --Pretty plan"])
      expect((await cli(line)).stderr).toStartWith(
        "koor-cli: state get: unknown flag --Pretty: did you mean --pretty?",
      );
    for (const line of ["lease acquire -x", "lease acquire -x src"])
      expect((await cli(line)).stderr).toStartWith(
        "koor-cli: lease acquire: unknown flag -x: if it is no flag, put -- before it",
      );
    expect(server.seen).toEqual([]);
    await cli("lease acquire -- -x");
    expect(JSON.parse(last().body)).toEqual({ paths: ["-x"] });
  });

  test("what a command cannot do without is asked for here: the same path without it reads the whole value", async () => {
    const needs = async (line: string) => {
      const { exit, stdout, stderr } = await cli(line);
      expect({ exit, stdout }).toEqual({ exit: 1, stdout: "" });
      return stderr;
    };
    expect(await needs("state diff k")).toBe("koor-cli: state diff needs --v1 A: koor-cli state diff --help");
    expect(await needs("specs diff p/n --v1 1")).toContain("specs diff needs --v2 B");
    expect(await needs("state rollback k")).toContain("state rollback needs --version N");
    expect(await needs("instances capabilities some-id")).toContain("needs --capabilities A,B");
    expect(server.seen).toEqual([]);
    expect((await cli("state diff --help")).stdout).toStartWith("koor-cli state diff KEY --v1 A --v2 B\n");
  });

  test("a header that cannot be sent is told from a server that is not there", async () => {
    for (const flag of ["--type", "--if-match"]) {
      const { exit, stderr } = await cli(["state", "set", "k", "--data", "1", flag, "a\nb"]);
      expect({ exit, stderr }).toEqual({
        exit: 1,
        stderr: expect.stringContaining("holds a character that no header can carry"),
      });
    }
    expect(server.seen).toEqual([]);
  });

  test("without a server where it stands by default the way to start one is told", () => {
    expect(connectionFailure(new Error("refused"), "http://localhost:9800", "read").message).toBe(
      "no Koor server at http://localhost:9800: start one with koor-server, or set KOOR_SERVER",
    );
  });

  test("a file that cannot be read or written is told without the system's words", async () => {
    expect((await cli("state set k --file .")).stderr).toBe("koor-cli: cannot read .: it is a directory");
    expect((await cli("state list -o no/where")).stderr).toBe(
      "koor-cli: cannot write no/where: there is no such directory",
    );
    expect((await cli("state list -o .")).stderr).toBe("koor-cli: cannot write .: it is a directory");
  });

  test("a key that no URL can carry is told, not mangled", async () => {
    for (const key of [".", ".."])
      expect(await cli(["state", "get", key])).toMatchObject({
        exit: 1,
        stderr: expect.stringContaining("key cannot be"),
      });
    expect(server.seen).toEqual([]);
  });
});

describe("help", () => {
  test.each([["help"], ["--help"], ["-h"], ["bogus --help"], ["help bogus"]])(
    "%s names every command",
    async (line) => {
      const { exit, stdout, stderr } = await cli(line);
      expect({ exit, stderr }).toEqual({ exit: 0, stderr: "" });
      for (const name of commandNames) expect(stdout).toContain(`  ${name}`);
    },
  );

  test("a group's help has its commands with their flags, and no others", async () => {
    for (const line of ["state --help", "help state", "state bogus -h"]) {
      const { stdout } = await cli(line);
      expect(stdout).toContain("koor-cli state set KEY (--file PATH | --data TEXT | -)");
      expect(stdout).toContain("--if-none-match ETAG");
      expect(stdout).not.toContain("koor-cli specs get");
    }
  });

  test("a command's help is its own alone: models pay for every line of it", async () => {
    for (const line of ["state get -h", "help state get", "state get k --help"]) {
      const { stdout } = await cli(line);
      expect(stdout).toStartWith("koor-cli state get KEY\n");
      expect(stdout).not.toContain("koor-cli state set");
    }
    // A command whose name is a group's, too, is asked for with one word.
    expect((await cli("audit --help")).stdout).toContain("koor-cli audit summary");
  });

  test("--version says the version", async () => {
    expect((await cli("--version")).stdout).toMatch(/^koor-cli \d+\.\d+\.\d+\n$/);
  });
});

describe("settings", () => {
  const withSettings = (text: string) => {
    const cwd = emptyDirectory();
    writeFileSync(join(cwd, "settings.json"), text);
    return cwd;
  };

  test("settings.json names server and token, beside the server's own keys", async () => {
    const cwd = withSettings(
      JSON.stringify({ server: server.url, token: "t", bind: "localhost:1", event_retention: 5 }),
    );
    expect((await runCli(["status"], { cwd })).exit).toBe(0);
    expect(last().headers.get("authorization")).toBe("Bearer t");
  });

  test("variables win, and empty ones do not count", async () => {
    const cwd = withSettings(JSON.stringify({ server: "http://127.0.0.1:1", token: "t" }));
    await runCli(["status"], {
      cwd,
      env: { KOOR_SERVER: server.url.replace("http://", ""), KOOR_TOKEN: "" },
    });
    expect(last().headers.get("authorization")).toBe("Bearer t");
    await runCli(["status"], { cwd, env: { KOOR_SERVER: `${server.url}/`, KOOR_TOKEN: "v" } });
    expect(last()).toMatchObject({ path: "/health" });
    expect(last().headers.get("authorization")).toBe("Bearer v");
  });

  test("a settings file that is not JSON, an address that is none and a token no header can carry are one line", async () => {
    expect(await runCli(["status"], { cwd: withSettings("server: x") })).toMatchObject({
      exit: 1,
      stdout: "",
      stderr: "koor-cli: settings.json in this directory is not JSON: correct it, or remove it",
    });
    expect((await runCli(["status"], { cwd: withSettings('{"server":1}') })).stderr).toContain(
      '"server" in settings.json must be a text',
    );
    expect((await cli("status", { env: { KOOR_SERVER: "ftp://x" } })).stderr).toContain(
      "is not the address of a server",
    );
    expect((await cli("status", { env: { KOOR_TOKEN: "a\nb" } })).stderr).toContain("no header can carry");
  });
});
