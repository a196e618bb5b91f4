import { afterAll, beforeAll, expect, test } from "bun:test";
import { type TestServer, startServer } from "./harness.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.dispose());

const rule = { project: "p", rule_id: "r", pattern: "x" };

test.each([
  ["/api/webhooks", "id", (id: string) => ({ id, url: "http://127.0.0.1:9/" })],
  ["/api/templates", "id", (id: string) => ({ id, name: "n", data: [] })],
  ["/api/templates", "name", (name: string) => ({ id: "t", name, data: [] })],
  ["/api/rules/propose", "rule_id", (rule_id: string) => ({ ...rule, rule_id })],
  ["/api/rules/propose", "project", (project: string) => ({ ...rule, project })],
  ["/api/rules/import", "project", (project: string) => [{ ...rule, project }]],
  ["/api/txn", "key", (key: string) => ({ do: [{ put: { key, value: 1 } }] })],
  ["/api/txn", "spec", (name: string) => ({ do: [{ put: { spec: `p/${name}`, value: {} } }] })],
])(
  "%s refuses as %s what no URL could name afterwards, and takes what is like it",
  async (path, field, body) => {
    const post = (name: string) => server.json(path, { method: "POST", body: JSON.stringify(body(name)) });
    for (const name of [".", "..", "a\u{FFFD}"]) {
      const answer = await post(name);
      expect(answer.status).toBe(400);
      expect(answer.body.path).toEndWith(field);
      expect(answer.body.error).toContain("no URL could name it");
    }
    expect((await post("...")).status).toBe(200);
  },
);
