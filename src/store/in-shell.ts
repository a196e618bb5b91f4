/** A word as a shell reads it again, for commands that are told in messages. */
export function inShell(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
