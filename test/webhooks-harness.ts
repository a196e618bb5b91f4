import type { Server } from "bun";

/** A real receiver on loopback, which keeps what it was sent. */
export interface Receiver {
  url: string;
  /** In order of arrival. */
  received: Received[];
  /** How it answers: a status, or a whole answer. Each may be another by the path. */
  answer: (request: Received, index: number) => number | Response | Promise<number | Response>;
  /** Resolves when so many have come. */
  got(count: number): Promise<Received[]>;
  stop(): Promise<void>;
}

export interface Received {
  path: string;
  headers: Record<string, string>;
  text: string;
  body: { topic: string; data: unknown; source: string; event_id: number; created_at: string };
}

/** @param port 0: any that is free */
export function startReceiver(answer: Receiver["answer"] = () => 200, port = 0): Receiver {
  const waiting = new Set<() => void>();
  const receiver: Receiver = {
    url: "",
    received: [],
    answer,
    got: (count) =>
      new Promise((resolve) => {
        const look = () => {
          if (receiver.received.length < count) return;
          waiting.delete(look);
          resolve(receiver.received);
        };
        waiting.add(look);
        look();
      }),
    stop: () => server.stop(true),
  };
  const server: Server<unknown> = Bun.serve({
    hostname: "127.0.0.1",
    port,
    idleTimeout: 0,
    async fetch(request) {
      const text = await request.text();
      const { pathname, search } = new URL(request.url);
      const one = {
        path: pathname + search,
        headers: Object.fromEntries(request.headers),
        text,
        body: JSON.parse(text),
      };
      receiver.received.push(one);
      for (const look of waiting) look();
      const answered = await receiver.answer(one, receiver.received.length - 1);
      return typeof answered === "number" ? new Response(null, { status: answered }) : answered;
    },
  });
  receiver.url = `http://127.0.0.1:${server.port}`;
  return receiver;
}

export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await Bun.sleep(10);
}
