import { readFileSync } from "node:fs";
import { join } from "node:path";
import { plainEnvironment, program, runCommand, startKoor, temporaryDirectory } from "./processes.ts";
import { type Section, median, ratioOf } from "./report.ts";

const rounds = 5;
const runs = 40;

/** What the smallest command costs an agent's shell, beside the least that could ask the same. */
export async function measureCliTime(): Promise<Section> {
  const koor = await startKoor();
  const cli = program("koor-cli");
  const curl = ["curl", "-sS", `${koor.url}/health`];
  const commands = { cli: [...cli.command, "status"], curl };
  const env = { KOOR_SERVER: koor.url };
  for (const command of Object.values(commands)) await runCommand(command, { cwd: koor.directory, env });

  const times: Record<keyof typeof commands, number[]> = { cli: [], curl: [] };
  for (let round = 0; round < rounds; round++) {
    for (const name of ["cli", "curl"] as const)
      times[name].push(await timeOf(commands[name], koor.directory, env));
  }
  await koor.stop();

  const { ratio, shown } = ratioOf(times.cli, times.curl);
  return {
    title: "The CLI",
    how:
      `\`koor-cli status\` (${cli.name}) against \`curl -sS URL/health\`, from the start of the process to its end. ` +
      `${rounds} rounds of ${runs} runs each; a round counts with its median.`,
    tables: [
      {
        columns: ["Command", "ms"],
        rows: [
          ["koor-cli status", median(times.cli)],
          ["curl -sS URL/health", median(times.curl)],
        ],
      },
    ],
    goals: [{ text: "at most 2 times curl", measured: shown, met: ratio <= 2 }],
  };
}

/** The median wall time of a command in milliseconds, by hyperfine (`apt install hyperfine`) or a loop of ours. */
async function timeOf(command: string[], cwd: string, env: Record<string, string>): Promise<number> {
  if (!Bun.which("hyperfine")) return median(Array.from({ length: runs }, () => once(command, cwd, env)));
  const file = join(temporaryDirectory(), "hyperfine.json");
  const quoted = command.map((word) => `'${word}'`).join(" ");
  await runCommand(
    ["hyperfine", "-N", "--warmup", "5", "--runs", String(runs), "--export-json", file, quoted],
    { cwd, env },
  );
  const { results } = JSON.parse(readFileSync(file, "utf8")) as { results: { median: number }[] };
  return results[0]!.median * 1000;
}

function once(command: string[], cwd: string, env: Record<string, string>): number {
  const startedAt = performance.now();
  const { exitCode } = Bun.spawnSync(command, { cwd, env: { ...plainEnvironment(), ...env } });
  if (exitCode !== 0) throw new Error(`${command.join(" ")} exited with ${exitCode}`);
  return performance.now() - startedAt;
}
