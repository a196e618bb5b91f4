import { useState } from "preact/hooks";
import { Fault, Loading } from "../parts/panel.tsx";
import { VersionPick } from "../parts/version-pick.tsx";
import { type ContractDiff, client } from "../server.ts";
import { useAnswer } from "../live/use-answer.ts";

/** Versions that can be chosen. */
const limit = "200";

/** What a contract's next version broke, between any two of them. */
export function Breaking({ project, name }: { project: string; name: string }) {
  const params = { project, name };
  const concerns = ({ topic, resource }: { topic: string; resource: string }) =>
    topic.startsWith("specs.") && resource === `${project}/${name}`;
  const { answer: history, fault } = useAnswer(
    (signal) => client.call("specs.history", { params, query: { limit }, signal }),
    concerns,
    [project, name],
  );
  const kept = history?.versions.filter(({ deleted }) => !deleted).map(({ version }) => version) ?? [];
  const [chosen, setChosen] = useState<{ v1: number; v2: number } | undefined>(undefined);
  const v1 = chosen?.v1 ?? kept[1];
  const v2 = chosen?.v2 ?? kept[0];
  if (fault !== "") return <Fault text={fault} />;
  if (!history) return <Loading />;
  if (v1 === undefined || v2 === undefined) return <p class="soft">There is one version only.</p>;
  return (
    <>
      <p class="compare-tools">
        <VersionPick label="From version" kept={kept} value={v1} onPick={(v1) => setChosen({ v1, v2 })} />
        <VersionPick label="to version" kept={kept} value={v2} onPick={(v2) => setChosen({ v1, v2 })} />
      </p>
      <Changes project={project} name={name} v1={v1} v2={v2} />
    </>
  );
}

function Changes({ project, name, v1, v2 }: { project: string; name: string; v1: number; v2: number }) {
  const { answer, fault } = useAnswer(
    (signal) =>
      client.call("contracts.diff", {
        params: { project, name },
        query: { v1: String(v1), v2: String(v2) },
        signal,
      }),
    () => false,
    [project, name, v1, v2],
  );
  if (fault !== "") return <Fault text={fault} />;
  if (!answer) return <Loading />;
  const { breaking, safe, mode } = answer;
  return (
    <>
      <p class="verdict">
        <span class="tag" data-tint={breaking.length > 0 ? "bad" : "good"}>
          {breaking.length > 0 ? `${breaking.length} breaking` : "nothing breaks"}
        </span>{" "}
        {safe.length} safe, by <code>{mode}</code>
      </p>
      <ChangeList changes={breaking} tint="bad" />
      <ChangeList changes={safe} tint="good" />
    </>
  );
}

function ChangeList({ changes, tint }: { changes: ContractDiff["breaking"]; tint: string }) {
  return (
    <ul class="changes">
      {changes.map(({ rule, path, message }, index) => (
        <li key={index} data-tint={tint}>
          <span class="tag">{rule}</span> <code>{path}</code>
          <p>{message}</p>
        </li>
      ))}
    </ul>
  );
}
