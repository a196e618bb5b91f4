/**
 * Runs work of one name one after the other, in order of arrival. Whoever reads, changes and writes under a guard needs
 * no retries against others in this process then; the guard stays, for other servers on the same store.
 */
export function oneAtATime(): <T>(name: string, work: () => Promise<T>) => Promise<T> {
  const last = new Map<string, Promise<unknown>>();
  return async (name, work) => {
    const before = last.get(name) ?? Promise.resolve();
    const run = before.then(work, work);
    last.set(name, run);
    try {
      return await run;
    } finally {
      if (last.get(name) === run) last.delete(name);
    }
  };
}
