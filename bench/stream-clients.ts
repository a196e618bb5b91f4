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

const [url = "", kind = "subscribers", count = "1"] = process.argv.slice(2);
const { hostname, port, host } = new URL(url);
const report: Report = { received: 0, latencies: [], seconds: 0 };
let firstAt = 0;
/** Every delivery counts, but of a million not every latency is kept. */
const keptLatencies = 200_000;

function receive(frames: Buffer): void {
  const at = clockNow();
  const marker = '"data":';
  for (let found = frames.indexOf(marker); found !== -1; found = frames.indexOf(marker, found + 1)) {
    const start = found + marker.length;
    if (report.latencies.length < keptLatencies)
      report.latencies.push(at - Number(frames.toString("latin1", start, frames.indexOf(",", start))));
    if (report.received === 0) firstAt = at;
    report.received += 1;
  }
  report.seconds = (at - firstAt) / 1000;
}

/**
 * Over bare TCP: on two cores the runtime's own WebSockets (4.7 us a frame) would be as much of the measure as the server.
 * A frame is where the marker of its data is, unless a read ends within it; then the rest waits.
 */
async function open(request: string, isUp: (answer: string) => boolean): Promise<void> {
  let rest: Buffer = Buffer.alloc(0);
  let up = false;
  await new Promise<void>((resolve, reject) => {
    void Bun.connect({
      hostname,
      port: Number(port),
      socket: {
        open(socket: Socket) {
          socket.write(`${request} HTTP/1.1\r\nHost: ${host}\r\n${upgrade}\r\n\r\n`);
          if (isUp("")) resolve();
        },
        data(_, bytes) {
          if (!up) {
            up = isUp(bytes.toString());
            if (up) resolve();
            else reject(new Error(bytes.toString()));
            return;
          }
          const all = rest.length === 0 ? Buffer.from(bytes) : Buffer.concat([rest, bytes]);
          // Every frame is an object, and no string in it has a brace.
          const end = all.lastIndexOf("}") + 1;
          receive(all.subarray(0, end));
          rest = all.subarray(end);
        },
        error: (_, error) => reject(error),
      },
    }).catch(reject);
  });
}

const upgrade =
  kind === "waiters"
    ? "Connection: keep-alive"
    : "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13";

async function connect(index: number): Promise<void> {
  // A waiter's answer does not come.
  if (kind === "waiters") return open(`GET /api/state/waited/${index}?after_version=0&wait=60s`, () => true);
  return open("GET /api/events/subscribe", (answer) => answer.includes(" 101 "));
}

process.on("message", () => {
  process.send?.(report);
  report.received = 0;
  report.latencies = [];
});

/** Not all at once: the listening socket's queue of handshakes is short. */
const handshakes = 100;
for (let made = 0; made < Number(count); made += handshakes) {
  const some = Math.min(handshakes, Number(count) - made);
  await Promise.all(Array.from({ length: some }, (_, index) => connect(made + index)));
}
process.send?.("ready");
