/** What people type into a filter, as the globs that the server understands. Pure. */

const wildcards = /[*?[{\\]/;

/** Words are a part of what is looked for; with a wildcard they are the whole glob; in quotes they are the whole text. */
export function globOf(words: string): string {
  const quoted = /^"(.+)"$/s.exec(words)?.[1];
  if (quoted !== undefined) return quoted.replaceAll(/[*?[{\\,]/g, "\\$&");
  return words === "" || wildcards.test(words) ? words : `*${words}*`;
}

/** Several of them, with commas between. */
export function globsOf(words: string): string {
  // A comma within braces or quotes is no end of one of them.
  if (/[[{\\"]/.test(words)) return globOf(words);
  return words
    .split(",")
    .map((part) => globOf(part.trim()))
    .filter((glob) => glob !== "")
    .join(",");
}

/** A text as it is typed to be found whole, and nothing else. */
export function quoted(text: string): string {
  return text === "" ? "" : `"${text}"`;
}
