import { type Option, settingName, variableName } from "../../src/config.ts";
import { cell, notice, table } from "./markdown.ts";

const webPages = `## Web pages of other origins

A page that is not the dashboard is kept out, unless its origin is named: \`--allowed-origins https://tools.example.com\`. Then
the API's port answers what a browser asks for (CORS): the page may use every method, send \`Authorization\`, \`If-Match\`,
\`If-None-Match\`, \`Idempotency-Key\`, \`Last-Event-ID\` and Koor's own headers, and read \`ETag\`, \`Retry-After\` and Koor's own of the
answer, refusals too. The name of this server in the page's address must be allowed as well (\`--allowed-hosts\`), unless it is
\`localhost\` or an address. Scheme and path of an origin do not count, its port does.

A page gets no more rights than anybody: on a server with a token it sends the token itself, as a header. Cookies count for
nothing here (\`fetch\` without \`credentials\`), and the dashboard's port answers no other origin. \`EventSource\` cannot send a
header; on a server with a token read \`/api/events/stream\` with \`fetch\`. Whatever page you allow can do all that its reader's
browser can reach here: name only origins whose pages you trust.`;

/** docs/configuration.md: every option of koor-server. */
export function configurationDocs(options: readonly Option[]): string {
  return [
    "# Configuration of koor-server",
    notice,
    "Flags win over `KOOR_*` variables, variables over `settings.json` (or the file that `--config` names), the file over defaults. " +
      "A bad value is refused at the start. `settings.json` is shared with koor-cli, whose `server` and `token` are legal there.",
    table(
      ["Flag", "Variable", "Setting", "Default", "Allowed", "What it does"],
      options.map((option) => [
        `\`--${option.name}${option.value ? ` ${option.value}` : ""}\``,
        `\`${variableName(option)}\``,
        `\`${settingName(option)}\``,
        option.default === "" ? "(empty)" : `\`${option.default}\``,
        cell(option.allowed),
        cell(option.summary),
      ]),
    ),
    webPages,
  ].join("\n\n");
}
