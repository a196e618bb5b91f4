import { configure, getTextFormatter } from "@logtape/logtape";
import { writeSync } from "node:fs";
import type { Config } from "./config.ts";

/** Sends logs to stderr, from a level on; stdout stays empty. */
export async function configureLog(level: Config["logLevel"]): Promise<void> {
  const format = getTextFormatter({ timestamp: "rfc3339", category: "." });
  await configure({
    reset: true,
    sinks: { stderr: (record) => writeStderr(format(record)) },
    loggers: [
      { category: "koor", lowestLevel: level, sinks: ["stderr"] },
      { category: ["logtape", "meta"], lowestLevel: "warning", sinks: ["stderr"] },
    ],
  });
}

function writeStderr(line: string): void {
  try {
    writeSync(2, line);
  } catch {
    // Whoever read our stderr is gone, or is slow: no reason to stop serving.
  }
}
