import { confirm } from "../parts/dialog.tsx";
import { Age } from "../parts/panel.tsx";
import { type ClientError, type Rule, client, isAnother } from "../server.ts";

/** What a person decides about a rule: they see all of it before, and it is done to that rule only. */

type Verb = "Accept" | "Reject" | "Delete";

interface Decision {
  /** What follows, and what can be done afterwards. */
  text: (rule: Rule) => string;
  act: (rule: Rule) => Promise<unknown>;
}

const accept: Decision = {
  text: ({ project }) =>
    `Files of ${projectName(project)} will be checked against it. Afterwards it can be deleted, but it does not become a proposal again.`,
  act: async (rule) => client.call("rules.accept", await asSeen(rule)),
};

/** An id that was rejected may be proposed again: nothing else leads out of being rejected. */
const acceptRejected: Decision = {
  text: (rule) => `It was rejected. It is proposed again, by you, and accepted. ${accept.text(rule)}`,
  act: async (rule) => {
    const { params } = await asSeen(rule);
    const { source: _, status: __, created_at: ___, ...body } = rule;
    const version = versionOf(await client.send("rules.propose", { body }));
    return client.call("rules.accept", { params, condition: { version } }).catch((error: unknown) => {
      if ((error as ClientError).reason !== "version_mismatch") throw error;
      throw new Error(
        "the project's rules have changed meanwhile: it is proposed again, and not accepted yet",
      );
    });
  },
};

const reject: Decision = {
  text: () =>
    "No file is checked against it. It goes to the rejected rules at the end of this page, where it can still be accepted or deleted.",
  act: async (rule) => client.call("rules.reject", await asSeen(rule)),
};

const remove: Decision = {
  text: ({ status }) =>
    `${status === "accepted" ? "No file is checked against it any more. " : ""}This is final: who wants it back has to propose or import it anew.`,
  act: async (rule) => client.call("rules.delete", await asSeen(rule)),
};

function decisionOf(verb: Verb, { status }: Rule): Decision {
  if (verb === "Accept") return status === "rejected" ? acceptRejected : accept;
  return verb === "Reject" ? reject : remove;
}

/**
 * The rule, under the version of its project's rules in which it still is what was seen.
 *
 * @throws ClientError `version_mismatch` when it has become another one
 */
async function asSeen(rule: Rule) {
  const { project, rule_id } = rule;
  const response = await client.send("rules.list", { params: { project } });
  const { rules } = (await response.json()) as { rules: Rule[] };
  const current = rules.find((one) => one.rule_id === rule_id);
  if (JSON.stringify(current) !== JSON.stringify(rule)) throw isAnother();
  return { params: { project, rule_id }, condition: { version: versionOf(response) } };
}

function versionOf(response: Response): number {
  return Number(response.headers.get("X-Koor-Version"));
}

/** Buttons, and behind each a question that shows the rule. */
export function Decisions({ rule, verbs }: { rule: Rule; verbs: readonly Verb[] }) {
  const ask = (verb: Verb) => {
    const { text, act } = decisionOf(verb, rule);
    confirm({
      title: `${verb} ${rule.rule_id}`,
      text: text(rule),
      about: <Facts rule={rule} />,
      verb,
      danger: verb === "Delete",
      act: () => act(rule),
    });
  };
  return (
    <span class="buttons end">
      {verbs.map((verb) => (
        <button
          key={verb}
          type="button"
          class={verb === "Accept" && rule.status === "proposed" ? undefined : "quiet"}
          aria-label={`${verb} ${rule.rule_id}`}
          onClick={() => ask(verb)}
        >
          {verb}
        </button>
      ))}
    </span>
  );
}

/** All that a rule says and does. */
function Facts({ rule }: { rule: Rule }) {
  const { pattern, severity, message, proposed_by: by, created_at: at, context } = rule;
  return (
    <dl class="rule-facts">
      <dt>Pattern</dt>
      <dd>
        <code>{pattern}</code>
      </dd>
      <dt>Checked</dt>
      <dd>
        <Where rule={rule} />
      </dd>
      <dt>Severity</dt>
      <dd>{severity}</dd>
      <dt>Message</dt>
      <dd>{message}</dd>
      <dt>{rule.source === "learned" ? "Proposed" : "Added"}</dt>
      <dd>
        {by !== "" && `by ${by}, `}
        <Age at={at} />
      </dd>
      {context !== "" && (
        <>
          <dt>Reason</dt>
          <dd>{context}</dd>
        </>
      )}
    </dl>
  );
}

const finds = { regex: "each line", missing: "must be found", custom: "a built-in check" } as const;

/** What of which files a rule looks at: why one said nothing is seen by that. */
export function Where({ rule: { match_type: type, applies_to: globs, stack } }: { rule: Rule }) {
  return (
    <>
      {finds[type]}, in {globs.includes("*") ? "every file" : <code>{globs.join(", ")}</code>}
      {stack !== "" && `, stack ${stack}`}
    </>
  );
}

export function projectName(project: string): string {
  return project === "_global" ? "every project" : project;
}
