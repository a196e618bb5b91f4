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

  /** Adds entries, oldest first. Where one does not follow the one before, the tail begins anew with it. */
  extend(page: readonly Entry[]): void {
    for (const entry of page) {
      if (this.#entries.length > 0 && entry.id !== this.newest + 1) this.clear();
      this.#entries.push(entry);
      this.#characters += entry.size;
    }
    while (
      this.#entries.length > tailEntries ||
      (this.#characters > tailCharacters && this.#entries.length > 1)
    ) {
      this.#characters -= (this.#entries.shift() as Entry).size;
    }
  }

  clear(): void {
    this.#entries = [];
    this.#characters = 0;
  }

  /** The entries after an id; none when the first of them is not here. */
  after(id: number): readonly Entry[] {
    const at = id + 1 - (this.#entries[0]?.id ?? 0);
    return at < 0 || at >= this.#entries.length ? [] : this.#entries.slice(at);
  }
}
