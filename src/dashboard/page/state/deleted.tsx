import { useEffect, useState } from "preact/hooks";
import { keys } from "../live/keys.ts";
import { useAnswer } from "../live/use-answer.ts";
import { globOfWord, quoted } from "../parts/globs.ts";
import { Age, Fault } from "../parts/panel.tsx";
import { Who } from "../parts/who.tsx";
import { hrefOf } from "../href.ts";
import { client } from "../server.ts";

/** How long nobody types before the audit is searched, in milliseconds. */
const searchAfter = 250;
/** And how often at most while keys are being deleted: of a long audit it takes a second. */
const searchEvery = 5000;
/** Deletions that are looked at, and keys that are listed of them. */
const limit = "200";
const maxShown = 20;

const longestOf = (words: readonly string[]) =>
  words.reduce((longest, word) => (word.length > longest.length ? word : longest), "");

/** All deletions of keys with a word in their names. */
export function deletionsHref(words: readonly string[]): string {
  const query = { action: quoted("state.delete"), resource: longestOf(words) };
  return `/audit?${new URLSearchParams(query).toString()}`;
}

/** The keys that were there once and have all of these words in them, as the audit knows them: each leads to its history. */
export function Deleted({ words }: { words: readonly string[] }) {
  const [settled, setSettled] = useState(words);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(words), searchAfter);
    return () => clearTimeout(timer);
  }, [words.join(" ")]);
  const { answer, fault } = useAnswer(
    (signal) => {
      const resource = globOfWord(longestOf(settled));
      return client.call("audit.list", { query: { action: "state.delete", resource, limit }, signal });
    },
    ({ action }) => action === "state.delete",
    [settled.join(" ")],
    searchEvery,
  );
  const isFound = (key: string) =>
    !keys.value?.has(key) && words.every((word) => key.toLowerCase().includes(word));
  const rows = answer?.filter(({ outcome, resource }) => outcome === "ok" && isFound(resource)) ?? [];
  const newest = new Map(rows.toReversed().map((row) => [row.resource, row]));
  return (
    <div class="empty">
      <p>
        No key has all of these words in it. What was deleted is in{" "}
        <a href={deletionsHref(words)}>the audit</a>
        {newest.size > 0 && "; of these the history is still there, to bring them back"}.
      </p>
      <Fault text={fault} />
      <ul class="deleted" aria-label="Deleted keys">
        {[...newest.values()]
          .toReversed()
          .slice(0, maxShown)
          .map(({ id, resource, actor, timestamp }) => (
            <li key={id} data-deleted={resource}>
              <a href={hrefOf("/state/{key...}", { key: resource }) ?? "/state"}>{resource}</a> deleted by{" "}
              <Who name={actor} /> <Age at={timestamp} />
            </li>
          ))}
      </ul>
    </div>
  );
}
