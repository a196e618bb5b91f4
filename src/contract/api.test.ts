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
  "1.1.0": "712b89469556a4b16d48b12661fd82c3e8dcb3ce68c4192e17f2b4e508e5ecd3",
};

test("the wire changes only together with its version", () => {
  const wire = JSON.stringify({ document: openApiDocument(), reasons, limits });
  expect(createHash("sha256").update(wire).digest("hex")).toBe(wires[apiVersion] as string);
});
