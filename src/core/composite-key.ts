/**
 * A key made of parts, such that no two lists of parts make the same key: each part's length in UTF-16 units, a
 * colon, the part. (`a/b` + `c` and `a` + `b/c` must be two specs.) The keys of one first part share a prefix.
 */
export function joinKey(...parts: readonly string[]): string {
  return parts.map((part) => `${part.length}:${part}`).join("");
}

/** The parts of a key made by `joinKey`. */
export function splitKey(key: string): string[] {
  const parts: string[] = [];
  for (let at = 0; at < key.length;) {
    const colon = key.indexOf(":", at);
    const end = colon + 1 + Number(key.slice(at, colon));
    parts.push(key.slice(colon + 1, end));
    at = end;
  }
  return parts;
}
