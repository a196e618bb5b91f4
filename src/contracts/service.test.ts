import { afterAll, describe, expect, test } from "bun:test";
import { KoorError } from "../contract/errors.ts";
import { joinKey } from "../core/composite-key.ts";
import { parseTargets } from "../outbound/target.ts";
import { openMemory } from "../store/memory/open.ts";
import { openSmallServer } from "../cli/io-for-tests.ts";
import { openContractEngine } from "./engine.ts";
import { contractService } from "./service.ts";

/** What a test over HTTP cannot have: names that lead where they like. */

const engine = openContractEngine();
const running = openSmallServer(() => Response.json({ id: "x" }));
const { port } = new URL(running.url);
afterAll(async () => {
  running.close();
  await engine.close();
});

const contract = {
  kind: "contract",
  endpoints: {
    "GET /x": { response: { id: { type: "string" } } },
    "GET http://10.0.0.1/": { response: {} },
    "CONNECT /x": { response: {} },
    "GET x": { response: {} },
    "/x": { response: {} },
  },
};

async function house(resolve: (host: string) => Promise<string[]>, targets = "loopback") {
  const store = openMemory({ now: () => 0 });
  await store.commit({
    by: "",
    ops: [
      {
        kind: "put",
        collection: "specs",
        key: joinKey("p", "c"),
        value: new TextEncoder().encode(JSON.stringify(contract)),
        contentType: "application/json",
        audit: { action: "spec.put", resource: "p/c" },
      },
    ],
  });
  const service = contractService({ store, engine, targets: parseTargets(targets), resolve });
  return (base_url: string, endpoint = "GET /x") =>
    service.test({
      params: { project: "p", name: "c" },
      query: {},
      body: { endpoint, base_url, test_data: undefined },
      contentType: "",
      condition: {},
      caller: { name: "" },
    });
}

const refused = { reason: "bad_request", details: { path: "base_url" } };

describe("a contract test of a name", () => {
  test.each([
    ["a private address", ["10.0.0.1"]],
    ["one of the cloud's own", ["169.254.169.254"]],
    ["this network", ["0.0.0.0"]],
    ["a private address of IPv6", ["fd00::1"]],
    ["a loopback address and another", ["127.0.0.1", "192.168.0.1"]],
  ])("that resolves to %s is refused, and nothing is called", async (_, addresses) => {
    const call = await house(async () => addresses);
    const before = running.seen.length;
    const error = await call(`http://innocent.example:${port}`).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(KoorError);
    expect(error).toMatchObject(refused);
    expect(running.seen.length).toBe(before);
  });

  test("that changes its mind between the look and the call is called where it was looked at", async () => {
    let looks = 0;
    const call = await house(async () => (looks++ === 0 ? ["127.0.0.1"] : ["10.0.0.1"]));
    expect(await call(`http://rebinding.example:${port}`)).toMatchObject({ valid: true, error: "" });
    expect(looks).toBe(1);
  });

  test("that leads nowhere, or to no address at all, is told", async () => {
    const lost = await house(() => Promise.reject(new Error("ENOTFOUND")));
    expect(await lost("http://nowhere.example")).toMatchObject({
      valid: false,
      status_code: 0,
      error: "cannot find the address of nowhere.example",
    });
    const empty = await house(async () => []);
    expect(await empty("http://empty.example")).toMatchObject({
      valid: false,
      error: "the host has no address",
    });
  });

  test("that is among the targets is called wherever it is, and others are not", async () => {
    const call = await house(async () => ["127.0.0.1"], "api.internal");
    expect(await call(`http://api.internal:${port}`)).toMatchObject({ valid: true });
    expect(await call(`http://localhost:${port}`).catch((thrown: unknown) => thrown)).toMatchObject(refused);
  });

  test.each(["GET http://10.0.0.1/", "CONNECT /x", "GET x", "/x"])(
    "of the endpoint %j, which is no request, is refused, and nothing is called",
    async (endpoint) => {
      const call = await house(async () => ["127.0.0.1"]);
      const before = running.seen.length;
      expect(await call(running.url, endpoint).catch((thrown: unknown) => thrown)).toMatchObject({
        reason: "bad_request",
        details: { path: "endpoint" },
      });
      expect(running.seen.length).toBe(before);
    },
  );
});
