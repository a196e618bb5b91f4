import { expect, test } from "bun:test";
import { z } from "zod";
import { commandOf, refuseTwins } from "../../scripts/generate/commands.ts";
import { json, operation, valueBody } from "../contract/operation.ts";

/** The way from a usage line to a command. That the committed tables are fresh is `generate.ts --check`. */

const base = {
  method: "POST",
  path: "/x/{id}",
  summary: "Do it",
  response: z.object({}),
  params: z.object({ id: z.string() }),
} as const;
const body = json(
  z.object({
    name: z.string(),
    tags: z.array(z.string()).nullish(),
    data: z.unknown().optional(),
    size: z.int().optional(),
  }),
  {
    raw: ["data"],
  },
);

test("words, positions and flags find their fields, with the form that each has", () => {
  const command = commandOf(
    "x.do",
    operation({
      ...base,
      body,
      query: z.object({ deep_look: z.string().optional() }),
      cli: "x do ID/NAME --tags A,B --data JSON --size N --deep-look YES",
    }),
  );
  expect(command).toMatchObject({
    name: "x do",
    positionals: [
      {
        name: "ID/NAME",
        fields: [
          ["params", "id", "text"],
          ["body", "name", "text"],
        ],
      },
    ],
    flags: {
      tags: { target: ["body", "tags", "list"], value: "A,B" },
      data: { target: ["body", "data", "json"] },
      size: { target: ["body", "size", "number"] },
      "deep-look": { target: ["query", "deep_look", "text"] },
    },
  });
  expect(command.reads).toBeUndefined();
});

test("a flag may name another field, and flags of one field are its parts", () => {
  const query = z.object({ diff: z.string() });
  const command = commandOf(
    "x.diff",
    operation({ ...base, method: "GET", query, cli: "x diff ID --v1 diff=A --v2 diff=B" }),
  );
  expect(command.flags).toMatchObject({
    v1: { target: ["query", "diff", "text"], value: "A", summary: "", required: true },
    v2: { target: ["query", "diff", "text"], value: "B", summary: "", required: true },
  });
});

test("@body and conditions are told, and what reads", () => {
  expect(
    commandOf("x.put", operation({ ...base, body: valueBody, conditional: true, cli: "x set ID @body" })),
  ).toMatchObject({
    body: { kind: "bytes", maxBytes: valueBody.maxBytes },
    conditional: true,
  });
  expect(
    commandOf("x.get", operation({ ...base, method: "GET", response: "bytes", cli: "x get ID" })).reads,
  ).toBe("bytes");
});

test.each([
  ["x do ID --nothing N", "no parameter, query or body field is named nothing"],
  ["x do WHAT", "no parameter, query or body field is named what"],
  ["x do NAME", "the params field id is required"],
  ["x do ID", "the body field name is required"],
  ["x do ID NAME --tags", "--tags has no name for its value"],
  ["x do it now ID NAME", "a command is one or two words"],
  ["x do ID NAME [--tags]", "what is [--tags]?"],
])("%s is refused: %s", (cli, fault) => {
  expect(() => commandOf("x.do", operation({ ...base, body, cli }))).toThrow(
    `operation x.do, cli "${cli}": ${fault}`,
  );
});

test("only the last word may be left out", () => {
  const query = z.object({ deep: z.string().optional() });
  const command = commandOf("x.list", operation({ ...base, query, cli: "x list ID [DEEP]" }));
  expect(command.positionals[1]).toEqual({
    name: "DEEP",
    fields: [["query", "deep", "text"]],
    optional: true,
  });
  expect(() => commandOf("x.list", operation({ ...base, query, cli: "x list [DEEP] ID" }))).toThrow(
    "ID cannot follow what may be left out",
  );
});

test("a flag that every such command has is not an operation's to take", () => {
  const query = z.object({ output: z.string().optional() });
  expect(() =>
    commandOf("x.get", operation({ ...base, method: "GET", query, cli: "x get ID --output X" })),
  ).toThrow("--output means something else");
});

test("two operations cannot be one command", () => {
  expect(() => refuseTwins([{ name: "a b" }, { name: "a" }, { name: "a b" }])).toThrow(
    'two operations are the command "a b"',
  );
});
