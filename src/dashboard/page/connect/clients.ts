/** What to write where, for each client that speaks MCP, and for those that do without. Pure. */

export interface Lines {
  client: string;
  /** Where the lines go. */
  where: string;
  text: string;
  /** What else there is to know. */
  note?: string | undefined;
}

/** The name of the variable that holds the server's token, in every line: a token itself is in none. */
const variable = "KOOR_TOKEN";
/** The one that holds an agent's own token. */
const ownVariable = "KOOR_INSTANCE_TOKEN";
/** Takes the token out of the answer to registering, in which it is the last field. */
const takeToken = String.raw`sed 's/.*"token":"\([^"]*\)".*/\1/'`;

/**
 * @param api the API's address: `http://localhost:9800`
 * @param hasToken whether the server wants one
 */
export function linesFor(api: string, hasToken: boolean): Lines[] {
  const url = `${api}/mcp`;
  const shellHeader = hasToken ? ` --header "Authorization: Bearer $${variable}"` : "";
  const headers = (reference: string) =>
    hasToken ? { headers: { Authorization: `Bearer ${reference}` } } : {};
  const json = (value: unknown) => JSON.stringify(value, null, 2);
  const variableNote = hasToken
    ? { note: `Set ${variable} to the server’s token where the client is started.` }
    : {};
  const terminalNote = { note: hasToken ? `Set ${variable} to the server’s token before that.` : undefined };
  return [
    {
      client: "Claude Code",
      where: "In a terminal, in the project’s folder; with --scope user for all projects",
      text: `claude mcp add --transport http koor ${url}${shellHeader}`,
      ...variableNote,
    },
    {
      client: "Cursor",
      where: ".cursor/mcp.json in the project, or ~/.cursor/mcp.json for all projects",
      text: json({ mcpServers: { koor: { url, ...headers(`\${env:${variable}}`) } } }),
      ...variableNote,
    },
    {
      client: "VS Code",
      where: ".vscode/mcp.json in the project",
      text: json({
        ...(hasToken && {
          inputs: [{ type: "promptString", id: "koor-token", description: "Koor’s token", password: true }],
        }),
        servers: { koor: { type: "http", url, ...headers("${input:koor-token}") } },
      }),
      ...(hasToken && { note: "It asks for the token once, and keeps it." }),
    },
    {
      client: "Codex",
      where: "~/.codex/config.toml, for all projects",
      text: `[mcp_servers.koor]\nurl = "${url}"${hasToken ? `\nbearer_token_env_var = "${variable}"` : ""}`,
      ...variableNote,
    },
    {
      client: "Gemini CLI",
      where: "In a terminal, in the project’s folder; with --scope user for all projects",
      text: `gemini mcp add --transport http${shellHeader} koor ${url}`,
      ...variableNote,
    },
    {
      client: "opencode",
      where: "opencode.json in the project, or ~/.config/opencode/opencode.json for all projects",
      // Without `oauth` it tries to log in before it sends the header.
      text: json({
        mcp: {
          servers: {
            koor: { type: "remote", url, ...(hasToken && { oauth: false }), ...headers(`{env:${variable}}`) },
          },
        },
      }),
      note: `For opencode 1 leave "servers" out, so that "koor" stands in "mcp" itself, and add "enabled": true to it.${hasToken ? ` Set ${variable} where it is started.` : ""}`,
    },
    {
      client: "koor-cli",
      where: "In a terminal, or an agent’s instructions",
      text: [
        `export KOOR_SERVER=${api}`,
        "# register once; the answer holds the token by which you are known from then on",
        `export ${ownVariable}=$(koor-cli register NAME --workspace shop --intent "what I work on" | ${takeToken})`,
        `koor-cli state set plan --data '{"goal":"ship it"}'`,
        `koor-cli lease run 'src/api/**' --wait 30s -- echo "my turn"`,
        "koor-cli instances list",
      ].join("\n"),
      note: `koor-cli is made together with the server: npm run build in Koor’s folder puts it into dist. Put it on the PATH.${hasToken ? ` ${terminalNote.note}` : ""}`,
    },
    {
      client: "curl",
      where: "In a terminal, or an agent’s instructions",
      text: curlLines(api, hasToken),
      ...terminalNote,
    },
  ];
}

function curlLines(api: string, hasToken: boolean): string {
  const header = hasToken ? ` -H "Authorization: Bearer $${variable}"` : "";
  const curl = `curl${header} -H "$me" ${api}`;
  return [
    "# register once; the answer holds the token by which you are known from then on",
    `export ${ownVariable}=$(curl -s${header} ${api}/api/instances/register -d '{"name":"NAME","workspace":"shop","intent":"what I work on"}' | ${takeToken})`,
    `me="Koor-Instance-Token: $${ownVariable}"`,
    "# share a value, and read it",
    `${curl}/api/state/plan -X PUT -d '{"goal":"ship it"}'`,
    `${curl}/api/state/plan`,
    "# tell the others, and hear what they tell",
    `${curl}/api/events/publish -d '{"topic":"plan.changed"}'`,
    `${curl}/api/events/history`,
    "# lease the files that you are about to change; wait for whoever has them",
    `${curl}/api/leases -d '{"paths":["docs/**"],"ttl":"60s","wait":"30s"}'`,
  ].join("\n");
}
