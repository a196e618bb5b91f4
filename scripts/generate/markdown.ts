/** What all generated pages begin with. */
export const notice =
  "<!-- Made by scripts/generate.ts from the contract: `npm run generate`. Changes belong there. -->";

/** A text inside a table's cell. */
export function cell(text: string): string {
  return text.replaceAll("|", String.raw`\|`).replaceAll("\n", " ");
}

/** A table, unpadded: aligned columns would change every line when one word does. */
export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[]) => `| ${cells.join(" | ")} |`;
  return [line(head), `|${"---|".repeat(head.length)}`, ...rows.map(line)].join("\n");
}
