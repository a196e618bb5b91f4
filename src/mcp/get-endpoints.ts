import type { Endpoints, Tool } from "./tool.ts";

/**
 * The one tool that is no operation: where the data is. Written by hand, since a model reads this and what it needs is the
 * dozen routes of daily work, in full, not the sixty that `/api/openapi.json` lists. A test holds it to the contract.
 */
const routes = {
  state: "GET|PUT|DELETE /api/state/{key}",
  specs: "GET|PUT|DELETE /api/specs/{project}/{name}",
  rules: "PUT /api/validate/{project}/rules, POST /api/validate/{project} {filename,content}",
  events: "POST /api/events/publish {topic,data}, GET /api/events/history, WS /api/events/subscribe?pattern=",
  instances: "GET /api/instances",
  all: "GET /api/openapi.json",
  header: "Koor-Instance-Token: TOKEN",
  cli: "koor-cli help",
};

export function getEndpoints(endpoints: Endpoints): Tool {
  return {
    definition: {
      name: "get_endpoints",
      description:
        "Where shared state, specs, rules and events are: read and write them by REST or koor-cli in your shell, not by MCP.",
      inputSchema: { type: "object", properties: {} },
      annotations: { readOnlyHint: true },
    },
    async call(_, { host }) {
      const { api, dashboard } = endpoints(host);
      return { api, ...routes, ...(dashboard !== "" && { dashboard }) };
    },
  };
}
