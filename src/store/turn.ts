/** Lets whatever else is due go first: work of any size is done in pieces with this between them. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
