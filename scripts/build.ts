// bun scripts/build.ts [--target all | --target linux-arm64,darwin-x64,...]
// Makes the single executables koor-server and koor-cli: for this machine in dist/, for targets in dist/<target>/.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { parseArgs } from "node:util";
import { version as bunVersion } from "../node_modules/bun/package.json";
import { packages as locked } from "../package-lock.json";

const root = join(import.meta.dir, "..");

/** Target, and the npm package that holds Bun for it. Bun's own names of a target are these with `bun-` in front. */
const targets: Record<string, string> = {
  "linux-x64": "@oven/bun-linux-x64",
  "linux-arm64": "@oven/bun-linux-aarch64",
  "linux-x64-musl": "@oven/bun-linux-x64-musl",
  "linux-arm64-musl": "@oven/bun-linux-aarch64-musl",
  "darwin-x64": "@oven/bun-darwin-x64",
  "darwin-arm64": "@oven/bun-darwin-aarch64",
  "windows-x64": "@oven/bun-windows-x64",
};

type Program = { name: string; entry: string; workers: string[]; without: string[] };

const programs: Program[] = [
  { name: "koor-server", entry: "src/main.ts", workers: findWorkers(), without: [] },
  // Answering in the time of a curl leaves no room for zod's 10 ms.
  { name: "koor-cli", entry: "src/cli/main.ts", workers: [], without: ["zod"] },
];

function fail(message: string): never {
  console.error(`build: ${message}`);
  process.exit(1);
}

/**
 * Workers are entry points of their own. Compiled, all of them lie in one folder beside the program, since that is where
 * `new URL("./x.worker.ts", import.meta.url)` looks from inside the bundle, whichever folder it stands in.
 */
function findWorkers(): string[] {
  const files = [...new Bun.Glob("src/**/*.worker.ts").scanSync(root)].toSorted();
  const names = files.map((file) => basename(file));
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice) fail(`two workers are named ${twice}; in the executable all workers share one folder`);
  return files;
}

/**
 * Bun's executable for another machine, from the npm registry that npm is configured for (Bun's own download
 * knows only the default one), checked against package-lock.json and kept in node_modules.
 */
function fetchRuntime(target: string): string {
  const name = targets[target]!;
  const integrity = (locked as Record<string, { integrity?: string }>)[`node_modules/${name}`]?.integrity;
  const folder = join(root, "node_modules/.cache/koor-build", `${target}-${bunVersion}`);
  const runtime = join(folder, "package/bin", target.startsWith("windows") ? "bun.exe" : "bun");
  if (existsSync(runtime)) return runtime;

  const fresh = `${folder}.part`;
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(fresh, { recursive: true });
  const npm = process.env.npm_execpath ? ["node", process.env.npm_execpath] : ["npm"];
  run([...npm, "pack", `${name}@${bunVersion}`, "--loglevel=error"], fresh);
  const [archive] = new Bun.Glob("*.tgz").scanSync(fresh);
  if (!archive) fail(`npm pack ${name} left no archive`);
  const hash = new Bun.CryptoHasher("sha512").update(readFileSync(join(fresh, archive))).digest("base64");
  if (integrity !== `sha512-${hash}`) fail(`${name} is not what package-lock.json says`);
  run(["tar", "-xzf", archive], fresh);
  rmSync(join(fresh, archive));
  renameSync(fresh, folder);
  return runtime;
}

function run([command, ...args]: string[], cwd: string): void {
  const { status, error } = spawnSync(command!, args, { cwd, stdio: ["ignore", "ignore", "inherit"] });
  if (status !== 0) fail(`${command} ${args.join(" ")}: ${error?.message ?? `exit code ${status}`}`);
}

/** @param target undefined: this machine */
async function compile(program: Program, target: string | undefined): Promise<void> {
  const outfile = join(root, "dist", target ?? "", program.name);
  const result = await Bun.build({
    entrypoints: [program.entry, ...program.workers].map((file) => join(root, file)),
    naming: { entry: "[name].[ext]" },
    // ESM, not CommonJS: there import.meta.url becomes the path of the source on the machine that built it,
    // and workers are looked for at that path. With bytecode both start equally fast.
    format: "esm",
    bytecode: true,
    minify: true,
    metafile: true,
    throw: false,
    compile: {
      outfile,
      // What lies in the folder of the user must not change the program: a bunfig.toml can make it run code.
      autoloadDotenv: false,
      autoloadBunfig: false,
      ...(target && {
        target: `bun-${target}` as Bun.Build.CompileTarget,
        executablePath: fetchRuntime(target),
      }),
    },
  });
  for (const log of result.logs) console.error(log);
  const path = result.outputs[0]?.path;
  if (!result.success || !path) fail(`${program.name} does not build`);
  check(program, path, Object.keys(result.metafile?.inputs ?? {}));
  const size = Math.round(Bun.file(path).size / 2 ** 20);
  console.log(`${path.slice(root.length + 1)}  ${size} MiB`);
}

/** What must not be in an executable; one that has it is removed again. */
function check(program: Program, path: string, inputs: string[]): void {
  const refuse = (reason: string) => {
    rmSync(path);
    fail(`${program.name} ${reason}`);
  };
  const own = Bun.pathToFileURL(join(root, "src")).href;
  if (readFileSync(path).includes(own)) refuse(`contains the path of its source, ${own}`);
  for (const name of program.without) {
    const input = inputs.find((file) => file.includes(`node_modules/${name}/`));
    if (input) refuse(`contains ${name} (${input}): import its types only`);
  }
}

function wantedTargets(): (string | undefined)[] {
  const { target } = parseArgs({ options: { target: { type: "string" } } }).values;
  if (target === undefined) return [undefined];
  if (target === "all") return Object.keys(targets);
  return target.split(",").map((given) => {
    const name = given.trim().replace(/^bun-/, "");
    return name in targets
      ? name
      : fail(`no target ${given}; there are ${Object.keys(targets).join(", ")}, all`);
  });
}

for (const target of wantedTargets()) {
  for (const program of programs) await compile(program, target);
}
