import { describe, expect, test } from "bun:test";
import { type ValidateReport, formats } from "./validate-formats.ts";

const report: ValidateReport = {
  project: "shop",
  files: [
    {
      file: "src/a b,c:100%.ts",
      violations: [
        { rule_id: "r:1,2", severity: "error", message: "50%\r\nof: it, all", line: 7, match: "x" },
        { rule_id: "other", severity: "warning", message: "missing" },
        { rule_id: "r:1,2", severity: "error", message: "50%\r\nof: it, all", line: 9, match: "x" },
      ],
    },
    { file: "/tmp/x#y.ts", violations: [], fault: "cannot be read: permission denied" },
  ],
  errors: 2,
  warnings: 1,
};
const nothing: ValidateReport = { project: "shop", files: [], errors: 0, warnings: 0 };

test("a line of text is one line, whatever its message holds", () => {
  expect(formats.text(report)).toBe(
    [
      "src/a b,c:100%.ts:7: error: 50% of: it, all [r:1,2]",
      "src/a b,c:100%.ts:1: warning: missing [other]",
      "src/a b,c:100%.ts:9: error: 50% of: it, all [r:1,2]",
      "",
    ].join("\n"),
  );
  expect(formats.text(nothing)).toBe("");
});

test("what breaks a rule that is only proposed says so, and is a note where errors count", () => {
  const violations = [
    { rule_id: "tried", severity: "error", message: "no", line: 2, proposed: true },
  ] as const;
  const tried = { ...nothing, files: [{ file: "a.ts", violations }] };
  expect(formats.text(tried)).toBe("a.ts:2: error: no [tried, proposed]\n");
  expect(formats.github(tried)).toBe("::notice file=a.ts,line=2,title=tried::no\n");
  expect(JSON.parse(formats.sarif(tried)).runs[0].results[0].level).toBe("note");
});

test("a workflow command of GitHub can be ended by nothing that is in it", () => {
  expect(formats.github(report).split("\n")).toEqual([
    "::error file=src/a b%2Cc%3A100%25.ts,line=7,title=r%3A1%2C2::50%25%0D%0Aof: it, all",
    "::warning file=src/a b%2Cc%3A100%25.ts,line=1,title=other::missing",
    "::error file=src/a b%2Cc%3A100%25.ts,line=9,title=r%3A1%2C2::50%25%0D%0Aof: it, all",
    "",
  ]);
});

describe("SARIF", () => {
  const { runs, ...log } = JSON.parse(formats.sarif(report));

  test("names each rule once, and each result by its rule, place and level", () => {
    expect(log.version).toBe("2.1.0");
    const [{ tool, results }] = runs;
    expect(tool.driver.rules.map(({ id }: { id: string }) => id)).toEqual(["r:1,2", "other"]);
    const place = (startLine: number) => [
      {
        physicalLocation: {
          artifactLocation: { uri: "src/a%20b%2Cc%3A100%25.ts" },
          region: { startLine },
        },
      },
    ];
    const message = { text: "50%\r\nof: it, all" };
    expect(results).toEqual([
      { ruleId: "r:1,2", ruleIndex: 0, level: "error", message, locations: place(7) },
      { ruleId: "other", ruleIndex: 1, level: "warning", message: { text: "missing" }, locations: place(1) },
      { ruleId: "r:1,2", ruleIndex: 0, level: "error", message, locations: place(9) },
    ]);
  });

  test("says what was not checked", () => {
    expect(runs[0].invocations).toEqual([
      {
        executionSuccessful: false,
        toolExecutionNotifications: [
          {
            level: "error",
            message: { text: "/tmp/x#y.ts cannot be read: permission denied" },
            locations: [{ physicalLocation: { artifactLocation: { uri: "file:///tmp/x%23y.ts" } } }],
          },
        ],
      },
    ]);
    expect(JSON.parse(formats.sarif(nothing)).runs[0]).toMatchObject({
      invocations: [{ executionSuccessful: true }],
      results: [],
    });
  });
});
