/** Where a run of koor-cli reads and writes; tests give their own. */
export interface Io {
  /** The working directory: `settings.json` and relative paths are looked for here. */
  cwd: string;
  /** Whether a person looks at stdout. */
  terminal: boolean;
  /** Resolves when everything is written. Rejects with `EPIPE` when nobody reads any more. */
  out(data: string | Uint8Array): Promise<void>;
  /** One line, without its end. */
  err(line: string): Promise<void>;
  /** All of standard input, or its first `maxBytes + 1` bytes. */
  stdin(maxBytes: number): Promise<Uint8Array>;
  /** Aborted by Ctrl-C. From the first call on, Ctrl-C does nothing else. */
  interrupted(): AbortSignal;
}

export type Env = Readonly<Record<string, string | undefined>>;
