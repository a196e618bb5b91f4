import { afterAll, beforeEach, expect, test } from "bun:test";
import { parseTargets, publicOr } from "../outbound/target.ts";
import { openSender } from "./attempt.ts";

const hosts: string[] = [];
const receiver = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch(request) {
    hosts.push(request.headers.get("host") ?? "");
    return new Response("fine");
  },
});
beforeEach(() => void hosts.splice(0));
afterAll(() => receiver.stop(true));

const { port } = receiver;
const webhook = (url: string) => ({
  uid: "u",
  url,
  patterns: ["*"],
  secret: "",
  active: true,
  created_at: 0,
});
const body = Buffer.from("{}");
const loopback = publicOr(parseTargets("loopback"), false);
const nothing = publicOr(parseTargets(""), false);
const sender = (resolve: (host: string) => Promise<string[]>, policy = loopback) =>
  openSender({ policy, resolve, now: () => 0, timeoutMs: 2000 });

test("the connection goes to the address that was checked, under the name of the URL", async () => {
  const asked: string[] = [];
  const send = sender(async (host) => {
    asked.push(host);
    return ["127.0.0.1"];
  });
  const url = `http://receiver.example:${port}/x`;
  expect(await send(webhook(url), "msg_1", body)).toMatchObject({ ok: true, code: 200, error: "" });
  expect(asked).toEqual(["receiver.example"]);
  expect(hosts).toEqual([`receiver.example:${port}`]);
});

test("a name that leads elsewhere by the time it is called is refused (rebinding)", async () => {
  const answers = [["93.184.216.34"], ["127.0.0.1"]];
  const send = sender(async () => answers.pop() ?? [], nothing);
  const url = `http://receiver.example:${port}/x`;
  expect(await send(webhook(url), "msg_1", body)).toMatchObject({
    ok: false,
    code: 0,
    error: "its address is one that webhooks may not call",
  });
  expect(hosts).toEqual([]);
});

test("a name of which one address is private is refused whole", async () => {
  const send = sender(async () => ["93.184.216.34", "10.0.0.1"], nothing);
  expect((await send(webhook("http://receiver.example/"), "msg_1", body)).error).toContain("may not call");
});

test.each([
  `http://127.0.0.1:${port}/`,
  `http://0x7f000001:${port}/`,
  `http://2130706433:${port}/`,
  `http://127.1:${port}/`,
  `http://[::ffff:127.0.0.1]:${port}/`,
  `http://0.0.0.0:${port}/`,
])("%s is refused where loopback is not allowed", async (url) => {
  const send = sender(async (host) => [host], nothing);
  expect((await send(webhook(url), "msg_1", body)).error).toContain("may not call");
  expect(hosts).toEqual([]);
});

test("a name that is not found, and one whose look-up hangs, fail within the time", async () => {
  const unknown = sender(() => Promise.reject(new Error("ENOTFOUND")));
  expect((await unknown(webhook("http://nowhere.example/"), "m", body)).error).toBe(
    "cannot find the address of nowhere.example",
  );
  const hung = openSender({
    policy: loopback,
    resolve: () => new Promise(() => {}),
    now: () => 0,
    timeoutMs: 20,
  });
  expect((await hung(webhook("http://slow.example/"), "m", body)).error).toBe(
    "cannot find the address of slow.example",
  );
});
