/** What to write where, for each client that speaks MCP, and for those that do without. Pure. */

export interface Lines {
  client: string;
  /** Where the lines go. */
  where: string;
  text: string;
  /** What else there is to know. */
  note?: string;
}

/** The name of the variable that holds the server's token, in every line: a token itself is in none. */
const variable = "KOOR_TOKEN";

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
  return [
    {
      client: "Claude Code",
      where: "In a terminal",
      text: `claude mcp add --transport http koor ${url}${shellHeader}`,
      ...variableNote,
    },
    {
      client: "Cursor",
      where: ".cursor/mcp.json in the project, or ~/.cursor/mcp.json",
      text: json({ mcpServers: { koor: { url, ...headers(`\${env:${variable}}`) } } }),
      ...variableNote,
    },
    {
      client: "VS Code",
      where: ".vscode/mcp.json",
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
      where: "~/.codex/config.toml",
      text: `[mcp_servers.koor]\nurl = "${url}"${hasToken ? `\nbearer_token_env_var = "${variable}"` : ""}`,
      ...variableNote,
    },
    {
      client: "Gemini CLI",
      where: "In a terminal",
      text: `gemini mcp add --transport http${shellHeader} koor ${url}`,
      ...variableNote,
    },
    {
      client: "opencode",
      where: "opencode.json",
      text: json({
        mcp: { koor: { type: "remote", url, enabled: true, ...headers(`{env:${variable}}`) } },
      }),
      note: `Of opencode 2 the entry stands in "mcp": {"servers": {…}}.${hasToken ? ` Set ${variable} where it is started.` : ""}`,
    },
    {
      client: "curl",
      where: "In a terminal, or an agent’s instructions",
      text: curlLines(api, hasToken),
    },
    {
      client: "koor-cli",
      where: "In a terminal",
      text: [
        `export KOOR_SERVER=${api}`,
        ...(hasToken ? [`export ${variable}=…`] : []),
        'koor-cli register NAME --workspace shop --intent "what I work on"',
        "koor-cli instances list",
      ].join("\n"),
    },
  ];
}

function curlLines(api: string, hasToken: boolean): string {
  const header = hasToken ? ` -H "Authorization: Bearer $${variable}"` : "";
  return [
    `# register: the answer holds your id and your token`,
    `curl${header} ${api}/api/instances/register -d '{"name":"me","workspace":"shop","intent":"what I work on"}'`,
    `# share, read, tell, with that token in Koor-Instance-Token`,
    `curl${header} -X PUT ${api}/api/state/plan -d '{"goal":"ship it"}'`,
    `curl${header} ${api}/api/state/plan`,
    `curl${header} ${api}/api/events/publish -d '{"topic":"plan.changed"}'`,
  ].join("\n");
}
