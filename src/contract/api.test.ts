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
  "1.1.0": "83c2763ada6f9a7afea76ef99954e90652b2fb5644f476d12a962db5da981ac6",
};

test("the wire changes only together with its version", () => {
  const wire = JSON.stringify({ document: openApiDocument(), reasons, limits });
  expect(createHash("sha256").update(wire).digest("hex")).toBe(wires[apiVersion] as string);
});
