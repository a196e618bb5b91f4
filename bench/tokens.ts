import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { countTokens } from "gpt-tokenizer/encoding/o200k_base";
import { bytesPerToken } from "../src/metrics/ledger.ts";
import { readThroughMcp } from "./mcp-reader.ts";
import { type Served, program, root, runCommand, startKoor } from "./processes.ts";
import type { Section, Table } from "./report.ts";

const sizes = [2048, 16384];

/** What reading a stored value costs a model, by what its client really sent and got. */
export async function measureTokens(): Promise<Section> {
  const koor = await startKoor();
  const document = (await (await fetch(`${koor.url}/api/openapi.json`)).json()) as OpenApi;
  const reading: Table = {
    title: "Reading one stored value",
    columns: ["Way", "value, bytes", "bytes the model writes and reads", "tokens", "of MCP's"],
    rows: [],
  };
  let baselineTool = "";
  for (const size of sizes) {
    const value = JSON.stringify(excerpt(document, size));
    const key = `contracts/users-${size / 1024}k`;
    await fetch(`${koor.url}/api/state/${key}`, { method: "PUT", body: value });
    const mcp = await readThroughMcp(koor.url, key);
    if (!mcp.seen.includes(value)) throw new Error("the MCP baseline did not carry the value");
    baselineTool = mcp.definitions;
    const receipt = await readWithCli(koor, ["state", "get", key, "--output", `users-${size / 1024}k.json`]);
    const whole = await readWithCli(koor, ["state", "get", key]);
    if (!whole.includes(value)) throw new Error("koor-cli did not print the value");
    const ways = {
      "MCP tool": mcp.seen,
      "koor-cli to a file, its receipt read": receipt,
      "koor-cli, all of it read": whole,
    };
    for (const [way, text] of Object.entries(ways)) {
      const share = countTokens(text) / countTokens(mcp.seen);
      reading.rows.push([
        way,
        value.length,
        bytesOf(text),
        countTokens(text),
        `${(share * 100).toFixed(1)}%`,
      ]);
    }
    reading.rows.push([
      "MCP tool, the whole JSON-RPC messages",
      value.length,
      bytesOf(mcp.wire),
      countTokens(mcp.wire),
      "",
    ]);
  }
  const tables = [
    reading,
    definitionsTable(await koorTools(koor.url), baselineTool),
    await ratioTable(koor.url, document),
  ];
  await koor.stop();
  return {
    title: "Tokens",
    how:
      "o200k (gpt-tokenizer) over the text that really passed: for MCP the call's name and arguments and the text of its result, between " +
      "the official client and a tool that the bench itself serves in front of the same server (bench/mcp-reader.ts); for koor-cli the " +
      "call of a shell tool with its command line, and what the command printed. The values are excerpts of Koor's own OpenAPI document.",
    tables,
    goals: [],
    limits: [
      "That a model which must know all of a value reads it either way, and then saves nothing: the gain is for values that are written to",
      "files, compared, searched, handed on or already known.",
      "Several reads in one conversation, the prices of cached input, what each client wraps around calls and results, the definition",
      "of the shell tool (which coding agents have anyway) and other models' tokenizers.",
    ],
  };
}

interface OpenApi {
  paths: Record<string, unknown>;
}

/** Whole paths of the document, the largest first, as many as fit into so many bytes. */
function excerpt(document: OpenApi, bytes: number): OpenApi {
  const part: OpenApi = { paths: {} };
  const largestFirst = Object.entries(document.paths).toSorted(
    ([, a], [, b]) => JSON.stringify(b).length - JSON.stringify(a).length,
  );
  for (const [path, item] of largestFirst) {
    part.paths[path] = item;
    if (bytesOf(JSON.stringify(part)) > bytes) delete part.paths[path];
  }
  return part;
}

/** The model's call of its shell, and all that comes back. */
async function readWithCli(koor: Served, args: string[]): Promise<string> {
  const output = await runCommand([...program("koor-cli").command, ...args], {
    cwd: koor.directory,
    env: { KOOR_SERVER: koor.url },
  });
  const command = `koor-cli ${args.join(" ")}`;
  return `${JSON.stringify({ name: "shell", arguments: { command } })}\n${output}`;
}

async function koorTools(url: string): Promise<{ name: string }[]> {
  const response = await fetch(`${url}/mcp`, {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json, text/event-stream" },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list" }),
  });
  const { result } = (await response.json()) as { result: { tools: { name: string }[] } };
  return result.tools;
}

function definitionsTable(tools: { name: string }[], baseline: string): Table {
  const row = (name: string, text: string) => [name, bytesOf(text), countTokens(text)];
  return {
    title: "Tool definitions, as `tools/list` answers them: paid by every session",
    columns: ["Tool", "bytes", "tokens"],
    rows: [
      ...tools.map((tool) => row(tool.name, JSON.stringify(tool))),
      row(`Koor's ${tools.length} together`, JSON.stringify(tools)),
      row("for comparison: the baseline's one reading tool", baseline),
    ],
  };
}

/** What `src/metrics/ledger.ts` goes by when it makes tokens of bytes. */
async function ratioTable(url: string, document: OpenApi): Promise<Table> {
  for (const [path, item] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(item as Record<string, { summary?: string }>)) {
      const data = {
        path,
        method: method.toUpperCase(),
        summary: operation.summary,
        breaking: method === "delete",
      };
      const body = JSON.stringify({ topic: "api.change.contract", data, source: "backend" });
      await fetch(`${url}/api/events/publish`, { method: "POST", body });
    }
  }
  const prose = ["README.md", "CONTRIBUTING.md"].find((file) => existsSync(join(root, file)))!;
  const samples = {
    "OpenAPI document, compact JSON": JSON.stringify(document),
    [`${prose}, prose`]: readFileSync(join(root, prose), "utf8"),
    "GET /api/events/history": await (await fetch(`${url}/api/events/history`)).text(),
  };
  const texts = [...Object.entries(samples), ["together", Object.values(samples).join("\n")] as const];
  return {
    title: `Bytes of one token (the ledger of \`/api/metrics\` counts ${bytesPerToken})`,
    columns: ["Text", "bytes", "tokens", "bytes a token"],
    rows: texts.map(([name, text]) => [
      name,
      bytesOf(text),
      countTokens(text),
      bytesOf(text) / countTokens(text),
    ]),
  };
}

function bytesOf(text: string): number {
  return Buffer.byteLength(text);
}
