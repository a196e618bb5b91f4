import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { openApiDocument } from "../http/openapi.ts";
import { apiVersion } from "./api.ts";
import { reasons } from "./errors.ts";
import { limits } from "./limits.ts";

/**
 * The wire as clients know it, by version. When this test fails the wire has changed: raise `apiVersion` (the last
 * number for what old clients do not notice, the middle one for what is new, the first for what breaks them) and put
 * the new hash beside it. Never change the hash of a version that was released.
 */
const wires: Record<string, string> = {
  "1.0.0": "2d6851a1dd146431828862332823869edfb0b08e00d78fd5199b30e4ef652397",
  "1.1.0": "a4393b3020fdfd2dca7e09fbcdb26a7e21ab67162f38f6d56ef05a074befc175",
};

test("the wire changes only together with its version", () => {
  const wire = JSON.stringify({ document: openApiDocument(), reasons, limits });
  expect(createHash("sha256").update(wire).digest("hex")).toBe(wires[apiVersion] as string);
});
