import { options } from "./config.ts";

/** What `koor-server --help` prints. */
export function helpText(): string {
  const rows = options.map((option) => {
    const flag = `--${option.name}${option.value ? ` ${option.value}` : ""}`;
    const fallback = option.default === "" || option.default === "false" ? "" : ` (${option.default})`;
    return `  ${flag.padEnd(28)} ${option.summary}${fallback}.`;
  });
  return [
    "koor-server: the coordination server for AI coding agents",
    "",
    "Usage: koor-server [options]",
    "       koor-server check [FILE]          Look whether SQLite's file is sound; a server may run on it",
    "       koor-server audit verify [FILE]   Find changed, removed or inserted rows of the audit log",
    "       koor-server backup --output PATH  Copy SQLite's file; a server may run on it. Where --database is set:",
    "                                         koor-cli backup",
    "       koor-server migrate-from-sqlite FILE  Copy a data directory into the empty database of --database",
    "",
    ...rows,
    `  ${"--config FILE".padEnd(28)} Read settings from this file (./settings.json, if there is one).`,
    `  ${"--help, --version".padEnd(28)} Print this, or the version.`,
    "",
    "Each option is also a variable (--data-dir is KOOR_DATA_DIR) and a setting (data_dir in settings.json).",
    "Flags win over variables, variables over settings. Logs go to stderr.",
    "",
  ].join("\n");
}
