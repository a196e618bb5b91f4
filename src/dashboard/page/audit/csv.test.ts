import { expect, test } from "bun:test";
import { csvOf } from "./csv.ts";

test("a file of the audit has no formulas, and every text in one cell", () => {
  const row = {
    id: 1,
    timestamp: "2026-11-01T12:00:00.000Z",
    actor: "=HYPERLINK(1)",
    action: "state.put",
    resource: 'a "b",\nc',
    detail: '{"version":1}',
    outcome: "ok" as const,
  };
  for (const actor of ["+1", "-1", "@a", "\t=1", "\r=1", "\n=1", "＝1"])
    expect(csvOf([{ ...row, actor }])).toMatch(/Z,"?'/);
  expect(csvOf([row])).toBe(
    "id,timestamp,actor,action,resource,outcome,detail\r\n" +
      `1,2026-11-01T12:00:00.000Z,'=HYPERLINK(1),state.put,"a ""b"",\nc",ok,"{""version"":1}"\r\n`,
  );
});
