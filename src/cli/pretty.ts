/**
 * JSON indented as text, so that a number of twenty digits keeps them all; what is no JSON stays as it came.
 *
 * jsonc-parser's `format` is linear (8 MB in 0.26 s), but its `applyEdits` is quadratic (0.8 MB: 37 s), so the edits,
 * which come in order, are put together here.
 */
export async function prettyJson(text: string): Promise<string> {
  try {
    JSON.parse(text);
  } catch {
    return text;
  }
  const { format } = await import("jsonc-parser");
  const parts: string[] = [];
  let at = 0;
  for (const { offset, length, content } of format(text, undefined, {
    insertSpaces: true,
    tabSize: 2,
    eol: "\n",
  })) {
    parts.push(text.slice(at, offset), content);
    at = offset + length;
  }
  return `${parts.join("")}${text.slice(at)}\n`;
}

/** A line of JSON as a command prints it: indented for a person when `--pretty` asks for it. */
export async function jsonLine(text: string, pretty: boolean): Promise<string> {
  return pretty ? prettyJson(text) : `${text}\n`;
}
