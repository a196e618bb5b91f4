// bun stream-clients.ts URL KIND COUNT: connections from a process of their own, steered over IPC. It says "ready" when
// all stand. Told "report", subscribers say what they have received since the last time.
import type { Socket } from "bun";
import { clockNow } from "./clock.ts";

/** An event's data is the time at which it was published. */
export interface Report {
  received: number;
  /** Milliseconds from publishing to receipt. */
  latencies: number[];
  /** From the first receipt to the last. */
  seconds: number;
}

const [url = "", kind = "subscribers", count = "1", after = ""] = process.argv.slice(2);
const { hostname, port, host } = new URL(url);
const report: Report = { received: 0, latencies: [], seconds: 0 };
let firstAt = 0;
/** Every delivery counts, but of a million not every latency is kept. */
const keptLatencies = 200_000;

function receive({ data }: MessageEvent): void {
  const at = clockNow();
  const frame = data as string;
  const start = frame.indexOf('"data":') + 7;
  if (report.latencies.length < keptLatencies)
    report.latencies.push(at - Number(frame.slice(start, frame.indexOf(",", start))));
  if (report.received === 0) firstAt = at;
  report.received += 1;
  report.seconds = (at - firstAt) / 1000;
}

async function subscriber(): Promise<void> {
  const query = after === "" ? "" : `?after=${after}`;
  const socket = new WebSocket(`ws://${host}/api/events/subscribe${query}`);
  socket.onmessage = receive;
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = reject;
  });
}

/** Over bare TCP, since ten thousand of the runtime's WebSockets would be this process' own measure. */
async function raw(request: string, isUp: (answer: string) => boolean): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    void Bun.connect({
      hostname,
      port: Number(port),
      socket: {
        open: (socket: Socket) => {
          socket.write(`${request} HTTP/1.1\r\nHost: ${host}\r\n${upgrade}\r\n\r\n`);
          if (isUp("")) resolve();
        },
        data: (_, bytes) => (isUp(bytes.toString()) ? resolve() : reject(new Error(bytes.toString()))),
        error: (_, error) => reject(error),
      },
    }).catch(reject);
  });
}

const upgrade =
  kind === "idle"
    ? "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13"
    : "Connection: keep-alive";

async function connect(index: number): Promise<void> {
  if (kind === "subscribers") return subscriber();
  if (kind === "idle") return raw("GET /api/events/subscribe", (answer) => answer.includes(" 101 "));
  // A waiter's answer does not come.
  return raw(`GET /api/state/waited/${index}?after_version=0&wait=60s`, () => true);
}

process.on("message", () => {
  process.send?.(report);
  report.received = 0;
  report.latencies = [];
});

/** Not all at once: the listening socket's queue of handshakes is short. */
const handshakes = 100;
for (let open = 0; open < Number(count); open += handshakes) {
  const some = Math.min(handshakes, Number(count) - open);
  await Promise.all(Array.from({ length: some }, (_, index) => connect(open + index)));
}
process.send?.("ready");
