import { join } from "node:path";
import { runCommand, runScript } from "./processes.ts";

/** As many requests as the connections carry, each sent when the answer before it has come. */
export interface Load {
  url: string;
  connections: number;
  seconds: number;
  /** PUT to `URL/0` ... `URL/{keys - 1}` in turn; without it GET of the URL. */
  put?: { bytes: number; keys: number };
  /** POST of this JSON, in ASCII, to the URL. */
  post?: string;
}

export interface LoadResult {
  perSecond: number;
  /** Answers that are no 2xx, broken connections and timeouts. */
  errors: number;
  /** Milliseconds. */
  p99: number;
}

/** Runs a load in a process of its own: wrk (`apt install wrk`), or where that is missing one of ours. */
export async function runLoad(load: Load): Promise<LoadResult> {
  const { url, connections, seconds, put, post } = load;
  const what = put ? [String(put.bytes), String(put.keys)] : post === undefined ? [] : [post];
  if (!Bun.which("wrk"))
    return runScript("load-generator.ts", [url, String(connections), String(seconds), ...what]);
  const script = join(import.meta.dir, "wrk.lua");
  const pace = `--threads 1 --connections ${connections} --duration ${seconds}s --timeout 10s`.split(" ");
  const out = await runCommand(["wrk", ...pace, "--script", script, url, "--", ...what]);
  return JSON.parse(out.slice(out.indexOf("{"))) as LoadResult;
}
