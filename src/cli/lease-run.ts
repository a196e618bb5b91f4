import { type ChildProcess, spawn } from "node:child_process";
import { constants } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { isatty } from "node:tty";
import type { Client } from "../client/client.ts";
import { ClientError, exitCodeOf } from "../client/client-error.ts";
import type { Arguments } from "./arguments.ts";
import { UsageError } from "./command.ts";
import { report } from "./failure.ts";
import type { Env, Io } from "./io.ts";
import { type Lease, ask, leaseClient } from "./lease-acquire.ts";
import { startedBy } from "./started-by.ts";

/** Short, since it is renewed: when this process dies, others wait no longer than that. */
const standardTtl = "1m";
const standardWait = "60s";
/** How long a command whose lease is lost may take to stop before it is killed, in milliseconds. */
const killAfterMs = 5_000;
/** How long it may take to be gone then, in milliseconds: what it starts meanwhile is killed, too. */
const goneAfterMs = 500;
/** How soon a renewal is tried again that did not get through, in milliseconds. */
const tryAgainMs = 1_000;
/** How often a command that is to stop is looked at, in milliseconds. */
const lookAgainMs = 50;

const lostExit = exitCodeOf("lease_lost");

/** Failures that say nothing of the lease: it may be there yet. */
const unknownFate: readonly string[] = [
  "no_server",
  "no_answer",
  "unavailable",
  "internal",
  "rate_limited",
  "out_of_space",
];

/**
 * `lease run PATHS -- COMMAND`: runs a command while it holds a lease, and gives its exit code. The command has
 * `KOOR_FENCE` in its environment, so that what it writes with koor-cli is refused once the lease is lost; it is then
 * stopped too, and the exit code is 4.
 *
 * @throws UsageError, ClientError: the command did not run
 */
export async function runUnderLease(
  words: readonly string[],
  { flags, beforeDashes, positionals }: Arguments,
  env: Env,
  io: Io,
): Promise<number> {
  // Of the positionals the first are the command's own name.
  const paths = words.slice(0, (beforeDashes ?? 0) - (positionals.length - words.length));
  const [program, ...args] = words.slice(paths.length);
  if (beforeDashes === undefined || paths.length === 0 || program === undefined) {
    throw new UsageError("lease run needs paths, then --, then a command: koor-cli lease --help");
  }
  const client = leaseClient(env, io);
  const lease = await ask(client, paths, new Map([["ttl", standardTtl], ["wait", standardWait], ...flags]));
  const exit = await runHolding(client, lease, [program, ...args], env, io);
  if (exit === "lost" || (await release(client, lease, io)) === "lost") return lostExit;
  if (typeof exit === "number") return exit;
  await io.err(`koor-cli: cannot run the command: ${exit.message}`);
  return (exit as NodeJS.ErrnoException).code === "ENOENT" ? 127 : 126;
}

/** The command's exit code; why it did not run; or that the lease was lost meanwhile. */
async function runHolding(
  client: Client,
  lease: Lease,
  [program, ...args]: [string, ...string[]],
  env: Env,
  io: Io,
): Promise<number | Error | "lost"> {
  const detached = ![0, 1, 2].some(isatty);
  let running: Running | undefined;
  let stopping: Promise<void> | undefined;
  // Before there is a command: from its first moment on a signal must not end us alone.
  const stopPassing = passSignals(detached, (signal) => running?.tell(signal));
  const keeping = keepRenewing(client, lease, (why) => {
    void io.err(`koor-cli: stopping the command: ${why}. Others may hold its paths by now`);
    stopping = running && stop(running);
  });
  try {
    const fence = `${lease.id}:${lease.fence}`;
    const environment = { ...env, KOOR_FENCE: fence };
    const child = spawn(program, args, { stdio: "inherit", cwd: io.cwd, env: environment, detached });
    running = detached ? groupOf(child) : jobOf(child, `KOOR_FENCE=${fence}`);
    const exit = await ended(child);
    await stopping;
    return keeping.isLost() ? "lost" : exit;
  } catch (error) {
    // An argument list that is too long, or empty names.
    return error as Error;
  } finally {
    keeping.end();
    stopPassing();
  }
}

/** Renews at a third of the TTL. Where no renewal gets through, the lease counts as lost when it ends by itself. */
function keepRenewing(client: Client, { id, ttl_ms }: Lease, onLost: (why: string) => void) {
  let until = Date.now() + ttl_ms;
  let state: "held" | "lost" | "over" = "held";
  const renewIn = (ms: number) => setTimeout(() => void renew(), ms);
  let timer = renewIn(ttl_ms / 3);

  async function renew(): Promise<void> {
    const sent = Date.now();
    try {
      const signal = AbortSignal.timeout(Math.max(until - sent, 1));
      await client.call("leases.renew", { params: { id }, body: {}, signal });
      until = sent + ttl_ms;
      if (state === "held") timer = renewIn(ttl_ms / 3);
    } catch (error) {
      const left = until - Date.now();
      if (state !== "held") return;
      if (left > 0 && mayBeThere(error)) timer = renewIn(Math.min(tryAgainMs, left));
      else {
        state = "lost";
        onLost(
          error instanceof ClientError
            ? error.message
            : "the lease is lost: no renewal got through before it ended",
        );
      }
    }
  }

  return {
    isLost: () => state === "lost",
    end() {
      clearTimeout(timer);
      state = "over";
    },
  };
}

/** An abort is our own, of a renewal that took too long. */
function mayBeThere(error: unknown): boolean {
  return !(error instanceof ClientError) || unknownFate.includes(error.reason);
}

/** A command under way, with all that it has started. */
interface Running {
  /** @returns whether anything of it is left to hear it; signal 0 only asks */
  tell(signal: NodeJS.Signals | 0): boolean;
}

/**
 * Away from terminals a command is a process group of its own, so that what it has started ends with it: shells and npm
 * do not hand signals on.
 */
function groupOf({ pid }: ChildProcess): Running {
  return { tell: (signal) => pid !== undefined && send(-pid, signal) };
}

/**
 * At a terminal it stays in our group, or it could not read from there, and Ctrl-Z would not stop us with it. Our group is
 * also that of a script that we stand in, and of those we are piped to: so only what the command has started is told, one by
 * one, and what came meanwhile is told when it is seen.
 */
function jobOf({ pid }: ChildProcess, mark: string): Running {
  let said: NodeJS.Signals | 0 = 0;
  let heard = new Set<number>();
  return {
    tell(signal) {
      if (pid === undefined) return false;
      if (signal !== 0) [said, heard] = [signal, new Set()];
      const left = startedBy(pid, mark);
      for (const one of left) {
        if (!heard.has(one)) send(one, said);
        heard.add(one);
      }
      return left.length > 0;
    },
  };
}

/** @returns whether anybody is there to hear it */
function send(to: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(to, signal);
  } catch {
    return false;
  }
}

/**
 * Asks it to stop, and then no more. It is asked again and again whether anything is left: from then on its number may be
 * another's.
 */
async function stop(running: Running): Promise<void> {
  for (const [signal, patience] of [
    ["SIGTERM", killAfterMs],
    ["SIGKILL", goneAfterMs],
  ] as const) {
    let isLeft = running.tell(signal);
    for (const end = Date.now() + patience; isLeft && Date.now() < end; isLeft = running.tell(0))
      await sleep(lookAgainMs);
    if (!isLeft) return;
  }
}

/**
 * What we are told to do the command is told. A terminal sends Ctrl-C to both of us where the command is not on its own,
 * and many programs take a second one for "at once": then it is enough that we outlive it.
 */
function passSignals(isGroup: boolean, tell: (signal: NodeJS.Signals) => void): () => void {
  const fromTerminal: readonly string[] = isGroup ? [] : ["SIGINT", "SIGQUIT"];
  const handlers = (["SIGINT", "SIGQUIT", "SIGTERM", "SIGHUP"] as const).map((signal) => {
    const handler = () => void (fromTerminal.includes(signal) || tell(signal));
    process.on(signal, handler);
    return () => process.off(signal, handler);
  });
  return () => handlers.forEach((remove) => remove());
}

/** Its exit code, as a shell says it of one that a signal ended; or why it did not run. */
function ended(child: ChildProcess): Promise<number | Error> {
  return new Promise((resolve) => {
    child.once("error", resolve);
    child.once("exit", (code, signal) => resolve(code ?? 128 + constants.signals[signal as NodeJS.Signals]));
  });
}

/** Whatever happens, it ends by itself: so that failing to release it is told, and the command's own end counts. */
async function release(client: Client, { id }: Lease, io: Io): Promise<"released" | "lost"> {
  try {
    await client.call("leases.release", { params: { id } });
    return "released";
  } catch (error) {
    const isLost = error instanceof ClientError && error.reason === "not_found";
    await io.err(
      isLost
        ? "koor-cli: the lease was lost before the command ended: others may have held its paths meanwhile"
        : report(error).line,
    );
    return isLost ? "lost" : "released";
  }
}
