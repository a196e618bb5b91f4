/** How much of a key's history stays. The current version always does. */
export interface Retention {
  /** The newest versions of each key, the current one among them; at least 1. */
  keep: number;
  /** Versions beyond those stay too while they are younger than this, in milliseconds ... */
  spareMs: number;
  /** ... and the key's versions from them on are no more than this together, in bytes. */
  spareBytes: number;
}

/** Old versions stay at least this long, in milliseconds: who finds a mistake at once can always go back. */
export const spareHistoryMs = 60 * 60 * 1000;
/** But for a key that is written all the time no more than this stays for its youth, in bytes: six of the largest values. */
export const spareHistoryBytes = 64 * 1024 * 1024;

/** What the rule looks at. */
export interface AgedVersion {
  size: number;
  updatedAt: number;
}

/**
 * How many of a key's kept versions go. What stays is always an unbroken run up to the current one.
 *
 * @param versions all that are kept, oldest first
 * @param at milliseconds since 1970
 */
export function surplus(versions: readonly AgedVersion[], retention: Retention, at: number): number {
  let bytes = versions.reduce((sum, { size }) => sum + size, 0);
  let gone = 0;
  for (const version of versions.slice(0, Math.max(0, versions.length - retention.keep))) {
    if (isSpared(version, bytes, retention, at)) break;
    bytes -= version.size;
    gone += 1;
  }
  return gone;
}

/** Whether a version beyond the newest `keep` stays for its youth. @param bytes of it and all newer ones of its key */
export function isSpared(version: AgedVersion, bytes: number, retention: Retention, at: number): boolean {
  return version.updatedAt > at - retention.spareMs && bytes <= retention.spareBytes;
}
