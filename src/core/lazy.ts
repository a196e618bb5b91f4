/** A value that is made when it is first asked for, and kept; what it is made from is let go then. */
export function lazy<T>(make: () => T): () => T {
  let source: (() => T) | undefined = make;
  let value: T;
  return () => {
    if (source) {
      value = source();
      source = undefined;
    }
    return value;
  };
}
