/** Bite by bite until there is nothing more to remove; commits that wait go between. */
export async function inBites(bite: () => Promise<number>): Promise<number> {
  let removed = 0;
  for (;;) {
    const rows = await bite();
    if (rows === 0) return removed;
    removed += rows;
  }
}
