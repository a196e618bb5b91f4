// bun stream-clients.ts URL SOCKETS: opens WebSocket subscribers from a process of their own, says "ready" over IPC, and
// on "stop" what they received. An event's data is the time at which it was published; the clock is the machine's.
import { clockNow } from "./clock.ts";

const [url = "", count = "1"] = process.argv.slice(2);
const latencies: number[] = [];
let received = 0;
let firstAt = 0;
let lastAt = 0;

function receive({ data }: MessageEvent): void {
  const at = clockNow();
  const frame = data as string;
  const start = frame.indexOf('"data":') + 7;
  latencies.push(at - Number(frame.slice(start, frame.indexOf(",", start))));
  received += 1;
  if (firstAt === 0) firstAt = at;
  lastAt = at;
}

/** Not all at once: the listening socket's queue of handshakes is short. */
const handshakes = 100;
const sockets: WebSocket[] = [];
while (sockets.length < Number(count)) {
  const some = Array.from({ length: Math.min(handshakes, Number(count) - sockets.length) }, () => {
    const socket = new WebSocket(`${url.replace(/^http/, "ws")}/api/events/subscribe`);
    socket.onmessage = receive;
    sockets.push(socket);
    return new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = reject;
    });
  });
  await Promise.all(some);
}

process.on("message", () => {
  const sorted = Float64Array.from(latencies).toSorted();
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)];
  process.send?.({ received, p50: at(0.5), p99: at(0.99), seconds: (lastAt - firstAt) / 1000 });
  latencies.length = 0;
  received = firstAt = lastAt = 0;
});
process.send?.("ready");
