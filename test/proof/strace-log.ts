/**
 * What a traced process told the system, one call a line, in the one order in which strace saw them. Since strace holds
 * a process at each call, what depends on a call that ended stands behind its end.
 */
export type SystemCall =
  | { kind: "write"; file: string; offset: number; data: Buffer }
  | { kind: "truncate"; file: string; size: number }
  | { kind: "unlink"; file: string }
  /** The call has ended: what was written to the file, or made and removed in the directory, before is on the disk. */
  | { kind: "sync"; file: string }
  /** Bytes handed to a socket. */
  | { kind: "send"; data: Buffer };

/** The calls by which files and answers are written. A file written by another way would be missed: see `refused`. */
const followed = ["pwrite64", "ftruncate", "unlink", "fsync", "fdatasync", "sendto", "write", "sendmsg"];
/** Calls that change files in ways that are not modelled; SQLite makes none of them here. */
const refused = [
  "pwritev",
  "pwritev2",
  "rename",
  "renameat",
  "renameat2",
  "fallocate",
  "sync_file_range",
  "copy_file_range",
];

/** strace's arguments: all bytes of all strings in hex, names for the descriptors, and the process stays our own child. */
export function straceCommand(output: string, command: readonly string[]): string[] {
  const calls = [...followed, ...refused].join(",");
  const whole = String(64 * 1024 * 1024);
  return [
    "strace",
    "-D",
    "-f",
    "-y",
    "-xx",
    "--seccomp-bpf",
    "-s",
    whole,
    "-e",
    `trace=${calls}`,
    "-o",
    output,
    ...command,
  ];
}

/**
 * @param directory only files in it, and itself, are told of
 * @throws Error at a call that is not modelled
 */
export function parseStrace(log: string, directory: string): SystemCall[] {
  const calls: SystemCall[] = [];
  /** Calls that had not ended when strace wrote of another thread. */
  const unfinished = new Map<string, string>();
  for (const line of log.split("\n")) {
    const [, thread = "", text = ""] = /^(\d+) +(.*)$/.exec(line) ?? [];
    const [, begun] = /^(\w+\(.*) <unfinished \.\.\.>$/.exec(text) ?? [];
    if (begun !== undefined) {
      unfinished.set(thread, begun);
      // What a write does, it may do as soon as it has begun; a sync counts only when it has ended.
      if (!isSync(begun)) add(calls, `${begun}) = ?`, directory);
      continue;
    }
    const [, result] = /^<\.\.\. \w+ resumed>(.*)$/.exec(text) ?? [];
    if (result === undefined) add(calls, text, directory);
    else if (isSync(unfinished.get(thread) ?? "")) add(calls, unfinished.get(thread) + result, directory);
  }
  return calls;
}

const isSync = (text: string) => /^f(data)?sync\(/.test(text);

function add(calls: SystemCall[], text: string, directory: string): void {
  const [, name = "", args = ""] = /^(\w+)\((.*)$/.exec(text) ?? [];
  if (name === "" || / = -1 /.test(args)) return;
  const file = pathIn(directory, args);
  const [, string] = /, "([^"]*)"/.exec(args) ?? [];
  if (name === "sendto" || name === "write" || name === "sendmsg") {
    const isSocket = decode(/^\d+<([^>]*)>/.exec(args)?.[1] ?? "")
      .toString()
      .startsWith("socket:");
    if (isSocket && string !== undefined) calls.push({ kind: "send", data: decode(string) });
    return;
  }
  if (file === undefined) return;
  if (refused.includes(name)) throw new Error(`${name} on ${file} is not modelled`);
  const [, last = ""] = /, (\d+)\) += /.exec(args) ?? [];
  if (name === "pwrite64")
    calls.push({ kind: "write", file, offset: Number(last), data: decode(string ?? "") });
  else if (name === "ftruncate") calls.push({ kind: "truncate", file, size: Number(last) });
  else if (name === "unlink") calls.push({ kind: "unlink", file });
  else calls.push({ kind: "sync", file });
}

/** The file's name within the directory; "" for the directory itself; undefined for what is elsewhere. */
function pathIn(directory: string, args: string): string | undefined {
  const [, descriptor, path] = /^(?:\d+<([^>]*)>|"([^"]*)")/.exec(args) ?? [];
  const name = decode(descriptor ?? path ?? "").toString();
  if (name === directory) return "";
  return name.startsWith(`${directory}/`) ? name.slice(directory.length + 1) : undefined;
}

/** `\x41\x42` */
function decode(hex: string): Buffer {
  return Buffer.from(hex.replaceAll("\\x", ""), "hex");
}
