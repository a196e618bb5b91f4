import { createHash } from "node:crypto";

/** Random numbers that a seed repeats: the same seed, the same run. */
export interface Random {
  /** At least 0, below 1. */
  next(): number;
  /** A whole number, at least 0 and below `bound`. */
  below(bound: number): number;
  chance(probability: number): boolean;
  pick<T>(list: readonly T[]): T;
  /** A stream of its own under a name, so that how much one part draws does not change what another part sees. */
  fork(name: string): Random;
}

/** Park and Miller's generator, begun somewhere that depends on all of the seed. */
export function seeded(seed: string | number): Random {
  const prime = 2_147_483_647;
  let state = (createHash("sha256").update(String(seed)).digest().readUInt32BE(0) % (prime - 1)) + 1;
  const next = () => {
    state = (state * 48_271) % prime;
    return (state - 1) / (prime - 1);
  };
  const below = (bound: number) => Math.floor(next() * bound);
  return {
    next,
    below,
    chance: (probability) => next() < probability,
    pick: (list) => list[below(list.length)] as (typeof list)[number],
    fork: (name) => seeded(`${seed}/${name}`),
  };
}

/** A seed for a run that nobody chose. */
export function freshSeed(): number {
  return Math.floor(Math.random() * 1_000_000_000);
}
