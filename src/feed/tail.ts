import type { Entry } from "./log.ts";

/** The newest entries are kept in memory for those who keep up: at most this many ... */
export const tailEntries = 1024;
/** ... and this much text: eight of the largest. */
const tailCharacters = 8 * 1024 * 1024;

/** Entries read from the log in one go. */
export const pageEntries = 256;

/** The newest entries of a log, without gaps between them, in memory. */
export class Tail {
  #entries: Entry[] = [];
  #characters = 0;

  /** The newest id here; 0 when there is none. */
  get newest(): number {
    return this.#entries.at(-1)?.id ?? 0;
  }

  /** Adds entries that follow each other; when they do not follow what is here, the tail begins anew with them. */
  extend(page: readonly Entry[]): void {
    if (this.#entries.length > 0 && page[0]?.id !== this.newest + 1) this.clear();
    for (const entry of page) {
      this.#entries.push(entry);
      this.#characters += entry.frame.length;
    }
    while (
      this.#entries.length > tailEntries ||
      (this.#characters > tailCharacters && this.#entries.length > 1)
    ) {
      this.#characters -= (this.#entries.shift() as Entry).frame.length;
    }
  }

  clear(): void {
    this.#entries = [];
    this.#characters = 0;
  }

  /** The entry with this id; undefined when it is not here. */
  get(id: number): Entry | undefined {
    return this.#entries[id - (this.#entries[0]?.id ?? 0)];
  }
}
