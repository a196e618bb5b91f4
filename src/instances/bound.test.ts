import { expect, test } from "bun:test";
import { openMemory } from "../store/memory/open.ts";
import { instanceService } from "./service.ts";

test("no more instances are registered than the bound; one that leaves makes room (LIMIT-1)", async () => {
  const store = openMemory({ now: () => 0 });
  let ids = 0;
  const instances = instanceService({
    store,
    now: () => 0,
    newId: () => `id${(ids += 1)}`,
    endAllOf: async () => [],
    most: 2,
  });
  const input = { query: {}, contentType: "", condition: {}, caller: { name: "" } };
  const body = { name: "a", workspace: "", intent: "", stack: "", capabilities: [] };
  const register = () => instances.register({ ...input, params: {}, body });
  const first = await register();
  await register();
  await expect(register()).rejects.toMatchObject({ reason: "rate_limited" });
  await instances.delete({ ...input, params: { id: first.id }, body: undefined });
  expect((await register()).status).toBe("pending");
});
