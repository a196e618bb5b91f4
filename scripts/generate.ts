// bun scripts/generate.ts [--check]: makes what follows from the contract and the option table. With --check it
// writes nothing and exits 1 when a file is not what it would be.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { version } from "../package.json";
import { options } from "../src/config.ts";
import { api, apiVersion } from "../src/contract/api.ts";
import type { Operation } from "../src/contract/operation.ts";
import { apiDocs } from "./generate/api-docs.ts";
import { cliDocs } from "./generate/cli-docs.ts";
import { commandOf, refuseTwins } from "./generate/commands.ts";
import { fixedQuery } from "./generate/schema.ts";
import { configurationDocs } from "./generate/configuration-docs.ts";
import { limitsDocs } from "./generate/limits-docs.ts";

const root = join(import.meta.dir, "..");
const header =
  "// Made by scripts/generate.ts from the contract: `npm run generate`. Changes belong there.\n";

const operations: [id: string, operation: Operation][] = Object.entries(api).flatMap(([noun, verbs]) =>
  Object.entries(verbs).map(([verb, operation]): [string, Operation] => [`${noun}.${verb}`, operation]),
);

function operationTable(): string {
  const lines = operations.map(([id, operation]) => {
    const { method, path, body, response } = operation;
    const answer = typeof response === "string" ? response : "json";
    const query = fixedQuery(operation);
    const entry = [method, path, body?.kind ?? "none", answer, ...(query ? [query] : [])];
    return `  ${JSON.stringify(id)}: ${JSON.stringify(entry)},`;
  });
  const doc = "/** Method, path, what the body is, what the answer is, what the query always holds. */";
  return `${header}\n${doc}\nexport const operations = {\n${lines.join("\n")}\n} as const;\n`;
}

const commands = operations.flatMap(([id, operation]) =>
  [operation.cli ?? []].flat().map((cli) => commandOf(id, { ...operation, cli })),
);
refuseTwins(commands);

function commandTable(): string {
  const lines = commands.map((command) => `  ${JSON.stringify(command)},`);
  const head = `import type { Command } from "./command.ts";\n\nexport const version = ${JSON.stringify(version)};`;
  return `${header}\n${head}\n\nexport const commands: readonly Command[] = [\n${lines.join("\n")}\n];\n`;
}

const files: Record<string, string> = {
  "src/client/operations.generated.ts": operationTable(),
  "src/cli/commands.generated.ts": commandTable(),
  "docs/api.md": `${apiDocs(api, apiVersion)}\n`,
  "docs/cli.md": `${cliDocs(commands)}\n`,
  "docs/limits.md": `${limitsDocs(root)}\n`,
  "docs/configuration.md": `${configurationDocs(options)}\n`,
};

function current(path: string): string | undefined {
  try {
    return readFileSync(join(root, path), "utf8");
  } catch {
    return undefined;
  }
}

const stale = Object.entries(files).filter(([path, text]) => current(path) !== text);
if (process.argv.includes("--check")) {
  if (stale.length > 0) {
    console.error(`stale: ${stale.map(([path]) => path).join(", ")}: run npm run generate`);
    process.exitCode = 1;
  }
} else {
  for (const [path, text] of stale) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
    console.log(`made ${path}`);
  }
}
