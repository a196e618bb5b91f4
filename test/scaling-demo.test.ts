import { describe, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { readSource, root, run, temporaryFolder } from "../demo/compiled.ts";
import { freePort } from "../bench/processes.ts";
import { postgresUrl } from "../src/store/postgres/database-for-tests.ts";

/** The commands of one section of a page, as they are typed. */
function commandsOf(page: string, heading: string): string[] {
  const section =
    readSource(page)
      .split(/^## /m)
      .find((part) => part.startsWith(`${heading}\n`)) ?? "";
  return section
    .split("\n")
    .filter((line) => line.startsWith("    "))
    .map((line) => line.slice(4));
}

describe.if(postgresUrl !== undefined)("docs/scaling.md", () => {
  test("its two servers can be typed in, from a fresh clone, and what one is told the other knows", async () => {
    const folder = temporaryFolder();
    const ports = new Map(["54329", "9800", "9810"].map((port) => [port, String(freePort())]));
    const typed = commandsOf("docs/scaling.md", "Two servers on this machine")
      // It is built, and takes half a minute.
      .filter((line) => line !== "npm run build")
      .map((line) => line.replace(/\b(54329|9800|9810)\b/g, (port) => ports.get(port) as string));
    expect(typed.length).toBeGreaterThan(12);
    // Whatever a line leaves running ends with the script.
    const script = [
      "set -eu",
      `cd ${root}`,
      "trap 'kill -9 $FIRST $SECOND 2>&- || :; kill $DATABASE 2>&- || :' EXIT",
      ...typed,
    ];
    const { code, stdout, stderr } = await run(["bash", "-c", script.join("\n")], folder, {
      KOOR_SERVER: `http://localhost:${ports.get("9800")}`,
    });
    expect({ code, stderr }).toMatchObject({ code: 0 });
    const values = [...stdout.matchAll(/\{"step":\d\}/g)].map(([value]) => value);
    expect(values).toEqual(['{"step":1}', '{"step":2}', '{"step":2}', '{"step":3}']);
    rmSync(folder, { recursive: true, force: true });
  });
});
