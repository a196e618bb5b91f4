import { expect, test } from "bun:test";
import { openMemory } from "../store/memory/open.ts";
import { templateService } from "./service.ts";

/** Bounds that a test over HTTP is slow to reach: the same code with smaller numbers. */

test("there are no more templates than may be; one that is replaced is none more, and one that goes makes room (LIMIT-1)", async () => {
  const store = openMemory({ now: () => 0 });
  const service = templateService({
    store,
    strictWrites: false,
    gate: async () => [],
    isContract: async () => true,
    importRules: () => Promise.reject(new Error("nothing is applied here")),
    most: 2,
  });
  const asked = { query: {}, contentType: "", caller: { name: "" } };
  const create = (id: string, version?: number) =>
    service.create({
      ...asked,
      params: {},
      condition: version === undefined ? {} : { version },
      body: { id, name: id, description: "", kind: "rules", tags: [], data: null },
    });
  await create("a");
  await create("b");
  const refused = await create("c").catch((error: unknown) => error);
  expect(refused).toMatchObject({ reason: "rate_limited", message: "there are 2 templates already" });
  expect(await create("a", 1)).toMatchObject({ version: 2 });
  await service.delete({ ...asked, params: { id: "b" }, body: undefined, condition: {} });
  expect(await create("c")).toMatchObject({ version: 1 });
});
