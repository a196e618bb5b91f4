import { isatty } from "node:tty";
import type { Io } from "./io.ts";
import { run } from "./run.ts";

/**
 * The program. What it does is in `run.ts`.
 *
 * `Bun.write` waits for slow pipes, also non-blocking ones, and rejects with EPIPE; `writeSync` broke off with EAGAIN
 * after 64 KiB there.
 */
const io: Io = {
  cwd: process.cwd(),
  terminal: isatty(1),
  async out(data) {
    if (data.length > 0) await Bun.write(Bun.stdout, data);
  },
  async err(line) {
    // Where nobody can be told, the exit code still says it.
    await Bun.write(Bun.stderr, `${line}\n`).catch(() => 0);
  },
  async stdin(maxBytes) {
    const chunks: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of Bun.stdin.stream()) {
      chunks.push(chunk);
      size += chunk.length;
      if (size > maxBytes) break;
    }
    return Buffer.concat(chunks);
  },
  interrupted() {
    const controller = new AbortController();
    process.on("SIGINT", () => controller.abort());
    return controller.signal;
  },
};

async function main(): Promise<void> {
  process.exitCode = await run(process.argv.slice(2), process.env, io);
}

void main();
