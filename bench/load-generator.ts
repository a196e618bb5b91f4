// bun bench/load-generator.ts URL CONNECTIONS SECONDS [BYTES KEYS | BODY]: what wrk.lua does, where wrk is missing. Prints JSON.
// Plain sockets: `fetch` would cost more than the server that it measures.
import type { Socket } from "bun";
import type { LoadResult } from "./load.ts";
import { percentile } from "./report.ts";

const [url = "", connections = "1", seconds = "1", what, keys] = process.argv.slice(2);
const { hostname, port, host, pathname } = new URL(url);
const body = keys === undefined ? what : JSON.stringify({ text: "x".repeat(Number(what) - 11) });

let sent = 0;
function nextRequest(): string {
  if (body === undefined) return `GET ${pathname} HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
  const line = keys === undefined ? `POST ${pathname}` : `PUT ${pathname}/${++sent % Number(keys)}`;
  return `${line} HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

interface Exchange {
  startedAt: number;
  /** Bytes still to come of the answer; undefined before its header is whole. */
  missing: number | undefined;
  header: string;
  unsent: Buffer;
}

const times: number[] = [];
let errors = 0;
let over = false;

function begin(socket: Socket<Exchange>): void {
  Object.assign(socket.data, { startedAt: performance.now(), missing: undefined, header: "" });
  socket.data.unsent = Buffer.from(nextRequest());
  flush(socket);
}

function flush(socket: Socket<Exchange>): void {
  const written = socket.write(socket.data.unsent);
  socket.data.unsent = socket.data.unsent.subarray(Math.max(0, written));
}

function receive(socket: Socket<Exchange>, chunk: Buffer): void {
  const exchange = socket.data;
  if (exchange.missing !== undefined) exchange.missing -= chunk.length;
  else {
    exchange.header += chunk.toString("latin1");
    const end = exchange.header.indexOf("\r\n\r\n");
    if (end === -1) return;
    if (!exchange.header.startsWith("HTTP/1.1 2")) errors += 1;
    const length = Number(/content-length: (\d+)/i.exec(exchange.header)?.[1] ?? 0);
    exchange.missing = length - (exchange.header.length - end - 4);
  }
  if (exchange.missing > 0 || over) return;
  times.push(performance.now() - exchange.startedAt);
  begin(socket);
}

function fail(): void {
  if (!over) errors += 1;
}

const startedAt = performance.now();
for (let index = 0; index < Number(connections); index++) {
  void Bun.connect<Exchange>({
    hostname,
    port: Number(port),
    data: { startedAt: 0, missing: undefined, header: "", unsent: Buffer.alloc(0) },
    socket: { open: begin, drain: flush, data: receive, error: fail, close: fail, connectError: fail },
  });
}
await Bun.sleep(Number(seconds) * 1000);
over = true;
const perSecond = times.length / ((performance.now() - startedAt) / 1000);
const result: LoadResult = { perSecond, errors, p99: percentile(times, 0.99) };
console.log(JSON.stringify(result));
process.exit(0);
