/** JSON as records keep it: the UTF-8 of its text. */

export function encodeJson(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

/** What `encodeJson` made of a `T`. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller knows what it had encoded
export function decodeJson<T>(bytes: Uint8Array): T {
  return JSON.parse(new TextDecoder().decode(bytes)) as T;
}
