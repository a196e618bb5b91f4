import { afterEach, describe, expect, test } from "bun:test";
import { type Server, createServer } from "node:net";
import { within } from "../outbound/call.ts";
import { parseTargets } from "../outbound/target.ts";
import { callEndpoint } from "./call.ts";
import { fillCall } from "./call-plan.ts";

/** A service that speaks as it likes, and what was said to it. */
const open: Server[] = [];
afterEach(() => {
  for (const server of open.splice(0)) server.close();
});

async function service(answer: (write: (text: string) => void) => void) {
  const heard: string[] = [];
  const hungUp = Promise.withResolvers<void>();
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.on("close", () => hungUp.resolve());
    socket.on("data", (data) => {
      heard.push(data.toString("latin1"));
      answer((text) => socket.write(text));
    });
  });
  open.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  return { heard, hungUp: hungUp.promise, base: new URL(`http://127.0.0.1:${port}`) };
}

const plan = {
  query: [],
  body: undefined,
  sample: {},
  parameters: {},
  expected: ["2XX"],
  answers: [],
};
const whole = (body: string) => `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

describe("a call of a service", () => {
  test.each([
    ["that says nothing", "", 0],
    ["that begins and goes on for ever", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", 200],
    ["whose body has no length, and no end", "HTTP/1.1 200 OK\r\n\r\n{", 200],
    ["whose head never ends", "HTTP/1.1 200 OK\r\nX: ", 0],
    ["that only ever begins to answer", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n".repeat(1000), 0],
  ])("%s ends when its time is up, and hangs up", async (_, said, status) => {
    const { base, heard, hungUp } = await service((write) => write(said));
    const controller = new AbortController();
    const request = { method: "GET", path: "/x", body: undefined };
    const called = callEndpoint(base, ["127.0.0.1"], request, { signal: controller.signal, ms: 10_000 });
    while (heard.length === 0) await Bun.sleep(5);
    // What was said has come when the answer of a later call has.
    const later = await service((write) => write(whole("{}")));
    expect((await callEndpoint(later.base, ["127.0.0.1"], request, within(10_000))).status).toBe(200);
    controller.abort();
    expect(await called).toMatchObject({ status, body: new Uint8Array(), error: "no answer within 10 s" });
    await hungUp;
  });

  test.each(["", "Upgrade: x\r\nConnection: Upgrade\r\n"])(
    "that changes the protocol by 101 and %j is answered with that, and hangs up",
    async (headers) => {
      const { base, hungUp } = await service((write) =>
        write(`HTTP/1.1 101 Switching Protocols\r\n${headers}\r\n`),
      );
      const request = { method: "GET", path: "/x", body: undefined };
      const { status, body } = await callEndpoint(base, ["127.0.0.1"], request, within(10_000));
      expect([status, body.length]).toEqual([101, 0]);
      await hungUp;
    },
  );

  test("goes to the address that was checked, whatever the name says, and to the next where nobody is", async () => {
    const { base, heard } = await service((write) => write(whole("{}")));
    const named = new URL(`http://nowhere.invalid:${base.port}`);
    const request = { method: "GET", path: "/x", body: undefined };
    const { status, error } = await callEndpoint(named, ["127.0.0.9", "127.0.0.1"], request, within(10_000));
    expect([status, error]).toEqual([200, ""]);
    expect(heard[0]).toContain(`Host: nowhere.invalid:${base.port}\r\n`);
  });

  test.each([
    "GET /x\r\nHost: elsewhere\r\nX: ",
    "GET /a b/{id}",
    "get /é/{id}",
    "POST /x HTTP/1.1\r\n\r\nGET /y",
  ])("of the endpoint %j is one request with one path", async (endpoint) => {
    const { base, heard } = await service((write) => write(whole("{}")));
    const filled = fillCall(endpoint, plan, { id: "1\r\n2 /" });
    await callEndpoint(base, ["127.0.0.1"], filled, within(10_000));
    const text = heard.join("");
    expect(text).toMatch(/^(GET|POST) \/[\x21-\x7e]* HTTP\/1\.1\r\n/);
    expect(text.match(/HTTP\/1\.1\r\n/g)).toHaveLength(1);
    expect(text.match(/^host:/gim)).toHaveLength(1);
  });
});

describe("--contract-targets", () => {
  test.each([
    ["loopback", "localhost", "127.0.0.1", true],
    ["loopback", "localhost", "::1", true],
    ["loopback", "any.name", "127.9.9.9", true],
    ["loopback", "any.name", "10.0.0.1", false],
    ["loopback", "any.name", "0.0.0.0", false],
    ["loopback", "any.name", "::", false],
    ["loopback", "any.name", "169.254.169.254", false],
    ["loopback", "any.name", "fe80::1", false],
    ["loopback", "any.name", "fd00::1", false],
    ["loopback", "any.name", "::ffff:10.0.0.1", false],
    ["loopback", "any.name", "64:ff9b::a00:1", false],
    ["10.0.0.0/8", "any.name", "10.255.0.1", true],
    ["10.0.0.0/8", "any.name", "11.0.0.1", false],
    ["10.0.0.0/8", "localhost", "127.0.0.1", false],
    ["fd00::/8", "any.name", "fd12::1", true],
    ["fd00::/8", "any.name", "fe80::1", false],
    ["192.168.1.7", "any.name", "192.168.1.7", true],
    ["192.168.1.7", "any.name", "192.168.1.8", false],
    ["Api.Internal, loopback", "api.internal", "10.0.0.1", true],
    ["api.internal", "other.internal", "10.0.0.1", false],
    ["", "localhost", "127.0.0.1", false],
  ])("%j lets %s at %s be called: %p", (targets, host, address, isAllowed) => {
    expect(parseTargets(targets).allows(host, address)).toBe(isAllowed);
  });

  test.each(["http://x", "10.0.0.0/64", "10.0.0.0/", "a b", "*", "x/8", "-"])("%j is refused", (text) => {
    expect(() => parseTargets(text)).toThrow();
  });
});
