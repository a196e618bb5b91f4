import { afterAll, describe, expect, test } from "bun:test";
import { type CallInput, createClient } from "./client.ts";
import { ClientError } from "./client-error.ts";

const requests: { method: string; url: string; headers: Headers; body: string }[] = [];
let answer: () => Response | Promise<Response> = () => Response.json({});
const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  async fetch(request) {
    requests.push({
      method: request.method,
      url: request.url,
      headers: request.headers,
      body: await request.text(),
    });
    return answer();
  },
});
afterAll(() => server.stop(true));
const client = createClient({ server: `127.0.0.1:${server.port}` });

/** The failure of a call that must fail. */
async function failure(promise: Promise<unknown>): Promise<ClientError> {
  const error: unknown = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(ClientError);
  return error as ClientError;
}

describe("calls", () => {
  test("types follow the contract", async () => {
    answer = () =>
      Response.json([{ key: "k", version: 1, content_type: "application/json", updated_at: "" }]);
    const [first] = await client.call("state.list", { query: { prefix: "k" } });
    const version: number | undefined = first?.version;
    expect(version).toBe(1);
    await client.call("state.list");
    await client.call("events.publish", { body: { topic: "t" } });

    // @ts-expect-error: params are required
    const noParams: CallInput<"state.get"> = {};
    // @ts-expect-error: a topic is a text
    const badBody: CallInput<"events.publish"> = { body: { topic: 1 } };
    // @ts-expect-error: no such operation
    const noName: Parameters<typeof client.call>[0] = "state.gte";
    // @ts-expect-error: a subscription is no call
    const socket: Parameters<typeof client.call>[0] = "events.subscribe";
    void [noParams, badBody, noName, socket];
  });

  test("a stored value comes with what its headers say, and 304 without bytes", async () => {
    const headers = {
      "Content-Type": "text/plain",
      ETag: '"2-a"',
      "X-Koor-Version": "2",
      "X-Koor-Hash": "a",
    };
    answer = () => new Response("hi", { headers });
    expect(await client.call("state.get", { params: { key: "k" } })).toEqual({
      bytes: new TextEncoder().encode("hi"),
      content_type: "text/plain",
      version: 2,
      hash: "a",
      etag: '"2-a"',
    });
    answer = () => new Response(null, { status: 304, headers });
    const same = await client.call("state.get", {
      params: { key: "k" },
      condition: { noneMatch: ['"2-a"', '"1-b"'] },
    });
    expect(same).toMatchObject({ bytes: null, version: 2 });
    expect(requests.at(-1)?.headers.get("if-none-match")).toBe('"2-a", "1-b"');
  });

  test("bytes go as they are, with their type and conditions", async () => {
    answer = () => Response.json({});
    await client.call("state.put", {
      params: { key: "k" },
      body: "x: 1",
      contentType: "application/yaml",
      condition: { noneMatch: "*", version: 0 },
    });
    const { method, headers, body } = requests.at(-1) as (typeof requests)[0];
    expect({ method, body, type: headers.get("content-type") }).toEqual({
      method: "PUT",
      body: "x: 1",
      type: "application/yaml",
    });
    expect([headers.get("if-none-match"), headers.get("x-koor-if-version")]).toEqual(["*", "0"]);
  });

  test("JSON that is text already goes as it is", async () => {
    await client.call("events.publish", { rawBody: '{"topic":"t","data":12345678901234567890}' });
    expect(requests.at(-1)?.body).toBe('{"topic":"t","data":12345678901234567890}');
  });
});

describe("failures", () => {
  test("a refusal has the server's words", async () => {
    const body = {
      error: "version mismatch",
      code: 412,
      reason: "version_mismatch",
      current: 3,
      path: "p",
      hint: "h",
    };
    answer = () => Response.json(body, { status: 412 });
    const error = await failure(client.call("state.delete", { params: { key: "k" } }));
    expect(error).toMatchObject({
      message: "version mismatch",
      reason: "version_mismatch",
      status: 412,
      current: 3,
      path: "p",
      hint: "h",
    });
  });

  test("a server without reasons is understood by its status", async () => {
    answer = () => Response.json({ error: "key not found: k", code: 404 }, { status: 404 });
    expect((await failure(client.call("state.get", { params: { key: "k" } }))).reason).toBe("not_found");
    answer = () => Response.json({ error: "busy", code: 502 }, { status: 502 });
    expect((await failure(client.call("metrics.health"))).reason).toBe("internal");
  });

  test("what answers but is no Koor is told so", async () => {
    answer = () => new Response("<h1>hello", { headers: { "Content-Type": "text/html" } });
    expect((await failure(client.call("metrics.health"))).reason).toBe("not_koor");
    answer = () => new Response("<h1>no", { status: 404 });
    expect(await failure(client.call("metrics.health"))).toMatchObject({ reason: "not_koor", status: 404 });
  });

  test("no connection is no_server", async () => {
    const error = await failure(createClient({ server: "http://127.0.0.1:1" }).call("metrics.health"));
    expect(error).toMatchObject({ reason: "no_server", status: 0 });
    expect(error.message).toBe(
      "no Koor server at http://127.0.0.1:1: is that the address, and does one run there? " +
        "KOOR_SERVER says where it is, or server in settings.json",
    );
  });

  test("an answer that breaks off is never taken for a whole one", async () => {
    const half = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        data(socket) {
          socket.write(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n[1,2",
          );
          socket.end();
        },
      },
    });
    const error = await failure(
      createClient({ server: `127.0.0.1:${half.port}` }).call("state.get", { params: { key: "k" } }),
    );
    expect(error.reason).toBe("no_answer");
    half.stop(true);
  });

  test("a server that hangs is given up, and what was to be written is not called undone", async () => {
    answer = () => new Promise<Response>(() => {});
    const impatient = createClient({ server: client.server, patienceMs: 30 });
    let waits = true;
    const query = { wait: "60s", after_version: "0" };
    const waiting = impatient.call("state.get", { params: { key: "k" }, query }).catch(() => (waits = false));
    const read = await failure(impatient.call("state.get", { params: { key: "k" } }));
    expect([read.reason, read.hint]).toEqual(["no_answer", "Try again"]);
    const write = await failure(impatient.call("events.publish", { body: { topic: "t" } }));
    expect(write.message).toBe(`the server at ${client.server} has not answered for 0 s`);
    expect(write.hint).toBe("It may have been done, or not: look before you do it again");
    const headers = { "Idempotency-Key": "k" };
    const once = await failure(impatient.call("events.publish", { body: { topic: "t" }, headers }));
    expect(once.hint).toContain("send it again under the same idempotency key");
    // Who lets the server wait is more patient.
    expect(waits).toBe(true);
    void waiting;
  });

  test("an abort comes through as it is", async () => {
    answer = () => new Promise<Response>(() => {});
    const controller = new AbortController();
    const call = client.call("metrics.health", { signal: controller.signal });
    controller.abort();
    expect(await call.catch((error: Error) => error.name)).toBe("AbortError");
  });

  test("a token that no header can carry is refused before anything is sent, unseen", () => {
    for (const token of ["a b", "a\nb", "ä"]) {
      expect(() => createClient({ server: "x", token })).toThrow(
        "the token holds a character that no header can carry",
      );
    }
  });
});
