import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { ClientError } from "./client-error.ts";
import { type EventServer, openEventServer } from "./event-server-for-tests.ts";
import type { SocketConstructor } from "./socket.ts";
import { type Frame, type SubscribeOptions, type SubscriptionState, subscribe } from "./subscribe.ts";

let server: EventServer;
let controller: AbortController;
beforeEach(() => {
  server = openEventServer();
  controller = new AbortController();
});
afterEach(() => {
  controller.abort();
  server.close();
});

const times = {
  backoffMs: 5,
  backoffMaxMs: 40,
  pollMs: 10,
  pollForMs: 60_000,
  handshakeMs: 60_000,
  pingMs: 10_000,
};

/** A subscription that collects in the background. */
function follow(options: Partial<SubscribeOptions> = {}) {
  const frames: Frame[] = [];
  const states: SubscriptionState[] = [];
  const done = (async () => {
    for await (const frame of subscribe({
      server: server.url,
      signal: controller.signal,
      times,
      onState: (state) => states.push(state),
      ...options,
    })) {
      frames.push(frame);
    }
  })();
  return {
    frames,
    states,
    done,
    ids: () => frames.map((frame) => (frame.kind === "event" ? frame.event.id : `${frame.from}-${frame.to}`)),
  };
}

/** Looks until it is so; the test's own time limit ends what never becomes so. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await Bun.sleep(2);
}

async function failure(done: Promise<void>): Promise<ClientError> {
  const error: unknown = await done.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(ClientError);
  return error as ClientError;
}

const malformed = (path: string) =>
  Response.json({ error: "pattern is malformed", code: 400, reason: "bad_request", path }, { status: 400 });

const noUpgrade = () => new Response("upgrades do not pass this proxy", { status: 400 });

describe("over a WebSocket", () => {
  test("events come live and in order, each as the text that it is", async () => {
    const { frames, states } = follow({ pattern: "api.*" });
    await until(() => states.includes("live"));
    server.publish("api.a", "12345678901234567890");
    server.publish("other");
    server.publish("api.b", '{"x":1.0}');
    await until(() => frames.length === 2);
    expect(frames[0]?.raw).toContain('"data":12345678901234567890');
    expect(frames.map((frame) => frame.kind === "event" && frame.event.topic)).toEqual(["api.a", "api.b"]);
  });

  test("with a position, what was missed comes first", async () => {
    for (let n = 0; n < 4; n++) server.publish("t");
    const { ids } = follow({ after: 1 });
    await until(() => ids().length === 3);
    expect(ids()).toEqual([2, 3, 4]);
  });

  test.each([
    ["cut without a word", undefined],
    ["closed by the server", 1001],
    ["closed as a slow reader", 4008],
  ])("a connection that is %s is taken up again without loss or repetition", async (_, code) => {
    const { ids, states } = follow();
    await until(() => server.sockets === 1 && states.length > 0);
    for (let round = 0; round < 5; round++) {
      server.publish("t");
      await until(() => ids().length === round * 3 + 1);
      server.cut(code);
      await until(() => server.sockets === 0);
      server.publish("t");
      server.publish("t");
      await until(() => ids().length === round * 3 + 3);
    }
    expect(ids()).toEqual(Array.from({ length: 15 }, (_, at) => at + 1));
    expect(new Set(states)).toEqual(new Set(["live", "waiting"]));
  });

  test("what is published between the hello and the first event is not lost when the connection breaks there", async () => {
    server.publish("before");
    const { ids, states } = follow();
    await until(() => states.includes("live"));
    server.cut();
    server.publish("missed");
    await until(() => ids().length === 1);
    expect(ids()).toEqual([2]);
  });

  test("a server that is restarted is found again", async () => {
    const { ids, states } = follow();
    await until(() => states.includes("live"));
    await server.stop();
    await until(() => states.includes("waiting"));
    await Bun.sleep(60);
    server.publish("while it was away");
    server.start();
    await until(() => ids().length === 1);
  });

  test("what retention removed meanwhile is told as a gap", async () => {
    const { ids, states } = follow();
    await until(() => states.includes("live"));
    server.publish("t");
    await until(() => ids().length === 1);
    server.handshake = () => new Response("", { status: 503 });
    server.front = () => Response.json({ error: "busy", code: 503, reason: "unavailable" }, { status: 503 });
    server.cut();
    for (let n = 0; n < 5; n++) server.publish("t");
    server.trim(4);
    server.handshake = server.front = undefined;
    await until(() => ids().length === 4);
    expect(ids()).toEqual([1, "2-4", 5, 6]);
  });

  test("another log is told as gone, instead of misleading silently", async () => {
    server.publish("t");
    const { done, states } = follow();
    await until(() => states.includes("live"));
    server.replace("second", 5);
    server.cut();
    expect(await failure(done)).toMatchObject({ reason: "gone", status: 410 });
  });

  test("a reader who leaves closes the connection", async () => {
    server.publish("t");
    for await (const frame of subscribe({ server: server.url, after: 0, times })) {
      expect(frame.kind).toBe("event");
      break;
    }
    await until(() => server.sockets === 0);
  });

  test("what a server repeats is not told twice", async () => {
    const { ids, states } = follow();
    await until(() => states.includes("live"));
    server.publish("t");
    await until(() => ids().length === 1);
    server.repeat();
    server.publish("t");
    await until(() => ids().length > 1);
    expect(ids()).toEqual([1, 2]);
  });

  test("an abort ends it without an error", async () => {
    const { done, states } = follow();
    await until(() => states.includes("live"));
    controller.abort();
    await done;
    await until(() => server.sockets === 0);
  });

  test("a slow reader gets everything, while what waits for it is bounded", async () => {
    const big = JSON.stringify("x".repeat(1024 * 1024));
    const ids: number[] = [];
    for (let n = 0; n < 40; n++) server.publish("t", big);
    for await (const frame of subscribe({ server: server.url, after: 0, signal: controller.signal, times })) {
      if (frame.kind === "event") ids.push(frame.event.id);
      await Bun.sleep(5);
      if (ids.length === 40) break;
    }
    expect(ids).toEqual(Array.from({ length: 40 }, (_, at) => at + 1));
    // The socket was given up when 16 MiB waited, and the rest fetched later.
    expect(server.asked.filter((way) => way === "ws").length).toBeGreaterThan(1);
  });

  /** As in browsers and in Node. */
  class WithoutPing extends WebSocket {
    ping = undefined as never;
  }

  test.each([
    ["by pings", WebSocket],
    ["by a word, where a runtime has no pings", WithoutPing],
  ])("a connection that is dead without a word is noticed %s", async (_, WebSocket) => {
    // Answers the handshake, and then nothing, not even pings.
    const mute = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        data(socket, data) {
          const [, key = ""] = /sec-websocket-key: (\S+)/i.exec(data.toString()) ?? [];
          if (key === "") return;
          const accept = new Bun.CryptoHasher("sha1")
            .update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
            .digest("base64");
          socket.write(
            `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
          );
          const hello = '{"hello":{"epoch":"e","last_id":0}}';
          socket.write(new Uint8Array([0x81, hello.length, ...new TextEncoder().encode(hello)]));
        },
      },
    });
    const { states } = follow({
      server: `127.0.0.1:${mute.port}`,
      times: { ...times, pingMs: 30 },
      WebSocket: WebSocket as SocketConstructor,
    });
    await until(() => states.includes("waiting"));
    expect(states[0]).toBe("live");
    mute.stop(true);
  });
});

describe("the first connection", () => {
  test("without a server fails at once", async () => {
    await server.stop();
    expect((await failure(follow().done)).reason).toBe("no_server");
  });

  test("is tried again by the patient", async () => {
    await server.stop();
    const { states } = follow({ patient: true });
    await until(() => states.includes("waiting"));
    server.start();
    await until(() => states.includes("live"));
  });

  test.each([
    [401, "unauthorized"],
    [403, "forbidden"],
  ])("that is refused with %d is not tried again", async (status, reason) => {
    server.handshake = server.front = () => Response.json({ error: "no", code: status, reason }, { status });
    expect((await failure(follow().done)).reason).toBe(reason as "unauthorized");
    expect(server.asked).toEqual(["ws", "/api/events/subscribe"]);
  });

  test("with a malformed pattern is not tried again", async () => {
    server.handshake = server.front = () => malformed("pattern");
    expect((await failure(follow({ pattern: "[" }).done)).message).toBe("pattern is malformed");
    expect(server.asked).toEqual(["ws", "/api/events/subscribe"]);
  });

  test("carries both tokens", async () => {
    const seen: (string | null)[] = [];
    server.handshake = ({ headers }) => {
      seen.push(headers.get("authorization"), headers.get("koor-instance-token"));
      return undefined;
    };
    const { states } = follow({ token: "t", instanceToken: "i" });
    await until(() => states.includes("live"));
    expect(seen).toEqual(["Bearer t", "i"]);
  });
});

describe("where WebSockets do not pass", () => {
  beforeEach(() => {
    server.handshake = noUpgrade;
  });

  test("events are asked for, from the moment on, by pattern, each as the text that it is", async () => {
    for (let n = 0; n < 3; n++) server.publish("api.old");
    const { frames, ids, states } = follow({ pattern: "api.*" });
    await until(() => states.includes("polling"));
    server.publish("api.a", "12345678901234567890");
    server.publish("other");
    server.publish("api.b");
    await until(() => frames.length === 2);
    expect(ids()).toEqual([4, 6]);
    expect(frames[0]?.raw).toContain("12345678901234567890");
  });

  test("pages are followed to their end, and nothing comes twice", async () => {
    for (let n = 0; n < 1201; n++) server.publish("t");
    const { ids } = follow({ after: 0 });
    await until(() => ids().length === 1201);
    await Bun.sleep(50);
    expect(ids()).toEqual(Array.from({ length: 1201 }, (_, at) => at + 1));
  });

  test("a gap is told, but not for events of other topics that were looked at", async () => {
    const { ids, states } = follow({ pattern: "api.*" });
    await until(() => states.includes("polling"));
    for (let n = 0; n < 5; n++) server.publish("other");
    // A look asks five times at most: after twice as many one has begun and ended.
    const asked = server.asked.length;
    await until(() => server.asked.length > asked + 10);
    server.trim(5);
    server.publish("api.a");
    await until(() => ids().length === 1);
    expect(ids()).toEqual([6]);

    await server.stop();
    for (let n = 0; n < 5; n++) server.publish("api.b");
    server.trim(9);
    server.start();
    await until(() => ids().length === 4);
    expect(ids()).toEqual([6, "7-9", 10, 11]);
  });

  test("what retention takes between two pages of one look is told, too", async () => {
    const { ids, states } = follow({ pattern: "api.*" });
    await until(() => states.includes("polling"));
    for (let n = 0; n < 600; n++) server.publish("api.a");
    await until(() => ids().length > 0);
    await server.stop();
    for (let n = 0; n < 5; n++) server.publish("api.b");
    server.trim(603);
    server.start();
    await until(() => ids().at(-1) === 605);
    // Each id is there, or within a gap.
    const told = ids().flatMap((one) => {
      const [from = 0, to = from] = String(one).split("-").map(Number);
      return Array.from({ length: to - from + 1 }, (_, at) => from + at);
    });
    expect(told).toEqual(Array.from({ length: 605 }, (_, at) => at + 1));
  });

  test("another log is told as gone where the server names it, or where it is shorter", async () => {
    server.namesEpoch = true;
    const first = follow();
    await until(() => first.states.includes("polling"));
    server.replace("second", 3);
    expect((await failure(first.done)).reason).toBe("gone");

    server.namesEpoch = false;
    const second = follow();
    await until(() => second.states.includes("polling"));
    server.replace("third", 1);
    expect((await failure(second.done)).reason).toBe("gone");
  });

  describe("and the server holds polls", () => {
    beforeEach(() => {
      server.holds = true;
    });

    test("they are used: all that matches, once and in order, each as the text that it is", async () => {
      for (let n = 0; n < 1201; n++) server.publish(n % 2 ? "api.a" : "other", `"]${n}["`);
      const { frames, ids } = follow({ after: 0, pattern: "api.*" });
      await until(() => ids().length === 600);
      server.publish("api.b", "12345678901234567890");
      await until(() => ids().length === 601);
      expect(ids()).toEqual([...Array.from({ length: 600 }, (_, at) => at * 2 + 2), 1202]);
      expect(frames.at(-1)?.raw).toContain("12345678901234567890");
      expect(server.asked).not.toContain("/api/events/history");
    });

    test("a server that answers at once and with nothing is not asked in a loop", async () => {
      const { states } = follow({ times: { ...times, pollMs: 3_600_000 } });
      await until(() => states.includes("polling"));
      const asked = server.asked.length;
      // In a loop it would be asked every 10 ms.
      await Bun.sleep(150);
      expect(server.asked.length - asked).toBeLessThan(2);
    });

    test("without a position only what is new comes", async () => {
      server.publish("old");
      const { ids, states } = follow();
      await until(() => states.includes("polling"));
      server.publish("new");
      await until(() => ids().length === 1);
      expect(ids()).toEqual([2]);
    });

    test("a gap is told, and another log is gone", async () => {
      const first = follow({ after: 0 });
      await until(() => first.states.includes("polling"));
      await server.stop();
      for (let n = 0; n < 5; n++) server.publish("t");
      server.trim(4);
      server.start();
      await until(() => first.ids().length === 2);
      expect(first.ids()).toEqual(["1-4", 5]);
      await server.stop();
      server.replace("second", 9);
      server.trim(8);
      server.start();
      expect((await failure(first.done)).reason).toBe("gone");
    });
  });

  test("a malformed pattern is told at once, although no event comes", async () => {
    server.front = ({ url }) => (url.includes("topic=%5B") ? malformed("topic") : undefined);
    expect((await failure(follow({ pattern: "[" }).done)).message).toBe("pattern is malformed");
  });

  test("one refusal is not enough: a server may be starting", async () => {
    let refused = 0;
    server.handshake = () => (refused++ === 0 ? noUpgrade() : undefined);
    const { states } = follow();
    await until(() => states.includes("live"));
    expect(states).not.toContain("polling");
  });

  test("a runtime without WebSockets polls from the start", async () => {
    server.publish("t");
    const { ids } = follow({ WebSocket: null, after: 0 });
    await until(() => ids().length === 1);
    expect(server.asked).not.toContain("ws");
  });

  test("a handshake that nobody answers counts as refused", async () => {
    server.handshake = undefined;
    class Silent extends EventTarget {
      readyState = 0;
      close() {}
    }
    const { states } = follow({ WebSocket: Silent as never, times: { ...times, handshakeMs: 20 } });
    await until(() => states.includes("polling"));
  });

  test("WebSockets are tried again after a while", async () => {
    const { ids, states } = follow({ times: { ...times, pollForMs: 30 } });
    await until(() => states.includes("polling"));
    server.handshake = undefined;
    await until(() => states.includes("live"));
    server.publish("t");
    await until(() => ids().length === 1);
    expect(ids()).toEqual([1]);
  });
});
