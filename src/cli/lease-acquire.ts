import { type CallAnswer, type Client, createClient } from "../client/client.ts";
import type { Arguments } from "./arguments.ts";
import type { Env, Io } from "./io.ts";
import { jsonLine } from "./pretty.ts";
import { onceHeader } from "./request.ts";
import { connection } from "./settings.ts";

export type Lease = CallAnswer<"leases.acquire">;

/** Without a fence: whoever lost a lease must be able to take another one. @throws UsageError, ClientError */
export function leaseClient(env: Env, io: Io): Client {
  return createClient({ ...connection(env, io.cwd), fence: undefined });
}

/** Asks for a lease as the flags say. @throws ClientError */
export function ask(client: Client, paths: readonly string[], flags: Arguments["flags"]): Promise<Lease> {
  // The server judges the values, and says what is wrong with them.
  const { "idempotency-key": _, ...asked } = Object.fromEntries(flags);
  const rawBody = JSON.stringify({ paths, ...asked });
  return client.call("leases.acquire", { rawBody, headers: onceHeader(flags) });
}

/** `lease acquire`: the lease as a line of JSON. @throws ClientError */
export async function acquireLease(
  paths: readonly string[],
  { flags, pretty }: Arguments,
  env: Env,
  io: Io,
): Promise<number> {
  const text = JSON.stringify(await ask(leaseClient(env, io), paths, flags));
  await io.out(await jsonLine(text, pretty));
  return 0;
}
