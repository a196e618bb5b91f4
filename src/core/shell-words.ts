/** Characters that names may take up in a command: it is a hint, not a page. */
const mostCharacters = 200;

/** Words without a meaning of their own in any shell, and no flags. */
const plain = /^[\w./:][\w./:-]*$/;

/** What single quotes keep as it is in sh, fish, PowerShell and cmd, which knows none, and one line shows as it is. */
const quotable = /^(?!-)[^'"\\`&|<>^%\u2018-\u201b\p{C}\p{Zl}\p{Zp}]+$/u;

/**
 * Names as words of a command that a hint advises. Agents run what stands there, and names are whatever somebody chose: where
 * one of them cannot be written so that every shell reads just that, there is the placeholder instead.
 */
export function shellWords(names: readonly string[], placeholder: string): string {
  const words = names.map((name) =>
    plain.test(name) ? name : quotable.test(name) ? `'${name}'` : undefined,
  );
  const text = words.join(" ");
  return words.includes(undefined) || text.length > mostCharacters ? placeholder : text;
}
