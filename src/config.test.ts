import { afterEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { helpText } from "./config-help.ts";
import { ConfigError, options, readConfig, variableName } from "./config.ts";

const made: string[] = [];
afterEach(() => {
  for (const path of made.splice(0)) rmSync(path, { recursive: true, force: true });
});

function settings(text: string): string {
  const directory = mkdtempSync(join(tmpdir(), "koor-config-"));
  made.push(directory);
  const file = join(directory, "settings.json");
  writeFileSync(file, text);
  return file;
}

const fault = (args: string[], env = {}) => {
  try {
    readConfig(args, env);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as Error).message;
  }
  throw new Error("it was accepted");
};

describe("configuration", () => {
  test("flags win over variables, variables over settings, settings over defaults", () => {
    const config = ["--config", settings('{"bind":"localhost:1","event_retention":7}')];
    expect(readConfig(config, {}).bind).toEqual({ host: "localhost", port: 1 });
    expect(readConfig(config, { KOOR_BIND: "localhost:2" }).bind.port).toBe(2);
    expect(readConfig([...config, "--bind", "localhost:3"], { KOOR_BIND: "localhost:2" }).bind.port).toBe(3);
    expect(readConfig([...config, "--bind=[::1]:4"], {}).bind).toEqual({ host: "::1", port: 4 });
    expect(readConfig(config, {})).toMatchObject({
      eventRetention: 7,
      dataDir: ".",
      logLevel: "info",
      mcpTools: "discovery",
      insecure: false,
    });
  });

  test("an empty dashboard address means none", () => {
    expect(readConfig(["--dashboard-bind", ""], {}).dashboardBind).toBeNull();
    expect(readConfig([], { KOOR_DASHBOARD_BIND: "" }).dashboardBind).toBeNull();
    expect(readConfig([], {}).dashboardBind).toEqual({ host: "localhost", port: 9847 });
  });

  test("every option is refused with its name and what is allowed", () => {
    const bad: Record<string, string> = {
      bind: "nowhere",
      "dashboard-bind": "localhost:99999",
      "data-dir": "",
      database: "mysql://host/db",
      "database-listen": "postgres://",
      "auth-token": "two words",
      "log-level": "loud",
      "event-retention": "-1",
      "history-retention": "0",
      "mcp-tools": "some",
      "allowed-origins": "http://",
      "strict-writes": "perhaps",
      "contract-targets": "10.0.0.0/8, a b",
      "webhook-allow": "10.0.0.0/40/8",
      insecure: "perhaps",
    };
    for (const option of options.filter(({ name }) => bad[name] !== undefined)) {
      const text = bad[option.name] as string;
      for (const message of [
        fault([`--${option.name}=${text}`]),
        fault([], { [variableName(option)]: text }),
      ]) {
        expect(message).toContain(option.allowed);
      }
      expect(fault([], { [variableName(option)]: text })).toContain(variableName(option));
    }
    // Any text is a list of hosts, and the name of a file.
    expect(Object.keys(bad)).toHaveLength(options.length - 2);
  });

  test("a bad token is not shown", () => {
    expect(fault(["--auth-token", "my secret"])).not.toContain("my secret");
  });

  test("unknown options and missing values are refused", () => {
    expect(fault(["--bnd", "x"])).toContain("unknown option --bnd");
    expect(fault(["serve"])).toContain("unknown option serve");
    expect(fault(["--bind"])).toContain("--bind needs a value");
  });

  test.each([
    ["{", "is not JSON"],
    ["[]", "must hold a JSON object"],
    ['{"bindd":"x"}', '"bindd"'],
    ['{"bind":{}}', "must be a text"],
    ['{"event_retention":0}', "event_retention"],
  ])("a settings file of %p is refused, never ignored", (text, part) => {
    expect(fault(["--config", settings(text)])).toContain(part);
  });

  test("a settings file that was asked for and is not there is refused", () => {
    expect(fault(["--config", "/nonexistent/settings.json"])).toContain("cannot be read");
  });

  test("the command line's own settings are legal in the shared file, and lists may be arrays", () => {
    const file = settings('{"server":"http://x","token":"y","allowed_hosts":["A.example","b.example"]}');
    expect(readConfig(["--config", file], {}).allowedHosts).toEqual(["a.example", "b.example"]);
  });

  test("beyond loopback a token is needed, or a clear wish for none", () => {
    for (const bind of ["0.0.0.0:9800", ":9800", "[::]:9800", "example.com:9800", "192.168.1.5:9800"]) {
      expect(fault(["--bind", bind])).toContain("KOOR_AUTH_TOKEN");
      expect(readConfig(["--bind", bind, "--insecure"], {}).insecure).toBe(true);
      expect(readConfig(["--bind", bind], { KOOR_AUTH_TOKEN: "t" }).authToken).toBe("t");
    }
    expect(fault(["--dashboard-bind", "0.0.0.0:1"])).toContain("--dashboard-bind");
    expect(readConfig(["--bind", "127.0.0.2:1"], {}).bind.host).toBe("127.0.0.2");
  });

  test("help names every option", () => {
    for (const { name } of options) expect(helpText()).toContain(`--${name}`);
  });
});
