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

/** Letters of a word that are looked for in upper and lower case: what a glob may cost has a bound. */
const maxLetters = 60;

/** All that has a word in it, or its beginning if it is long, in upper or lower case. */
export function globOfWord(word: string): string {
  const either = (letter: string) => {
    const cases = [letter.toLowerCase(), letter.toUpperCase()];
    const isLetter = cases[0] !== cases[1] && cases.every((one) => Array.from(one).length === 1);
    return isLetter ? `[${cases.join("")}]` : letter.replace(/[*?[{\\]/, "\\$&");
  };
  return `*${Array.from(word).slice(0, maxLetters).map(either).join("")}*`;
}
