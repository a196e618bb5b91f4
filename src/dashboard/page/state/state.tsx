import { signal } from "@preact/signals";
import { useEffect, useMemo, useState } from "preact/hooks";
import { type KeyRow, keySet, keys, keysFault, keysPartial, maxKeys, useKeys } from "../live/keys.ts";
import { now } from "../live/clock.ts";
import { Choice } from "../parts/choice.tsx";
import { Icon } from "../parts/icon.tsx";
import { Empty, Fault, Loading, ViewFrame, cli } from "../parts/panel.tsx";
import { SearchField } from "../parts/search-field.tsx";
import { count, showAge, showNumber } from "../parts/show.ts";
import { VirtualList } from "../parts/virtual-list.tsx";
import { whoOf } from "../parts/who.tsx";
import { go, place } from "../router.ts";
import { hrefOf } from "../href.ts";
import { DocumentView } from "../values/document-view.tsx";
import { stateSource } from "../values/source.ts";
import { Deleted, deletionsHref } from "./deleted.tsx";
import { NewKey } from "./new-key.tsx";
import { type TreeRow, newestFirst, pathsAbove, rowsOf, treeOf } from "./tree.ts";

/** Height of a line, in CSS pixels. */
const rowHeight = 28;
/** Up to how many keys all branches are open at first. */
const openKeys = 60;

/** Branches that somebody opened (true) or closed. */
const toggled = signal<ReadonlyMap<string, boolean>>(new Map());
const search = signal("");
const orders = { name: "By name", newest: "Newest change" } as const;
const order = signal<keyof typeof orders>("name");

/** What the agents share. */
export function State() {
  const all = useKeys();
  const chosen = place.value.rest.join("/");
  const [creating, setCreating] = useState(false);
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const set = keySet.value;
  const found = useMemo(
    () => [...(all?.keys() ?? [])].filter((key) => words.every((word) => key.toLowerCase().includes(word))),
    [set, all === undefined, words.join(" ")],
  );
  useEffect(() => {
    if (chosen !== "") toggle(pathsAbove(chosen), true);
  }, [chosen]);
  return (
    <ViewFrame
      title="State"
      summary={all && summaryOf(all.size, words.length > 0 ? found.length : undefined)}
      tools={
        <>
          <Choice
            name="order"
            label="Order"
            titles={orders}
            value={order.value}
            onChoose={({ order: chosen }) => {
              order.value = chosen as keyof typeof orders;
            }}
          />
          <SearchField
            of="keys"
            value={search.value}
            onInput={(value) => {
              search.value = value;
            }}
            onEnter={() => {
              const rows =
                order.value === "name"
                  ? rowsOf(treeOf(found), () => true)
                  : newestFirst(found, all ?? new Map());
              const first = rows.find(({ kind }) => kind === "leaf");
              if (words.length > 0 && first) openKey(first.path);
            }}
          />
          <button type="button" class="quiet" onClick={() => setCreating(true)}>
            <Icon name="plus" /> New key
          </button>
        </>
      }
    >
      <Fault text={keysFault.value} />
      {!all && keysFault.value === "" && <Loading />}
      {all?.size === 0 && chosen === "" && (
        <div class="panel">
          <Empty command={cli(`state set plan --data '{"goal":"ship it"}'`)}>
            Nothing is shared yet. Write a key with the button above, or by:
          </Empty>
        </div>
      )}
      {all && (all.size > 0 || chosen !== "") && (
        <div class="split">
          <Keys all={all} found={found} words={words} chosen={chosen} />
          {chosen !== "" && <DocumentView key={chosen} source={stateSource(chosen)} back="/state" />}
        </div>
      )}
      {creating && <NewKey onClose={() => setCreating(false)} />}
    </ViewFrame>
  );
}

/** @param found how many a search finds, if there is one */
function summaryOf(size: number, found: number | undefined): string {
  const all = keysPartial.value ? `the first ${count(size, "key")}` : count(size, "key");
  const shown = found === undefined ? all : `${showNumber(found)} of ${all}`;
  if (keysPartial.value) return `${shown}; reading on…`;
  return `${shown}${size >= maxKeys ? " shown; there are more" : ""}`;
}

function openKey(key: string): void {
  const href = hrefOf("/state/{key...}", { key });
  if (href !== undefined) go(href);
}

function toggle(paths: readonly string[], open: boolean): void {
  const next = new Map(toggled.peek());
  for (const path of paths) next.set(path, open);
  toggled.value = next;
}

interface KeysProps {
  all: ReadonlyMap<string, KeyRow>;
  /** Those that have all words of the search in them. */
  found: readonly string[];
  words: readonly string[];
  chosen: string;
}

function Keys({ all, found, words, chosen }: KeysProps) {
  const root = useMemo(() => treeOf(found), [found]);
  const opens = toggled.value;
  const openUnlessSaid = words.length > 0 || found.length <= openKeys;
  const byName = order.value === "name";
  const rows = useMemo(
    () =>
      byName
        ? rowsOf(root, (path) => (words.length > 0 ? true : (opens.get(path) ?? openUnlessSaid)))
        : newestFirst(found, all),
    // By name a write changes no row but its own.
    [root, opens, openUnlessSaid, byName, byName || all],
  );
  const choose = (row: TreeRow) => {
    if (row.kind === "branch") return toggle([row.path], !row.open);
    return openKey(row.path);
  };
  return (
    <section class="panel master key-list" aria-label="Keys">
      {rows.length === 0 && words.length > 0 ? (
        <Deleted words={words} />
      ) : (
        <VirtualList
          label={byName ? "Tree of keys" : "Keys, newest change first"}
          role={byName ? "tree" : "listbox"}
          items={rows}
          rowHeight={rowHeight}
          keyOf={keyOf}
          active={`leaf ${chosen}`}
          marks={({ kind, depth, path, ...row }) => ({
            "aria-level": byName ? depth + 1 : undefined,
            "aria-expanded": "open" in row ? row.open : undefined,
            "data-key": kind === "leaf" ? path : undefined,
            "data-branch": kind === "branch" ? path : undefined,
          })}
          onChoose={choose}
          onKey={(key, row) => {
            if (row.kind !== "branch" || (key !== "ArrowRight" && key !== "ArrowLeft")) return false;
            toggle([row.path], key === "ArrowRight");
            return true;
          }}
          row={(row) => <Line row={row} />}
        />
      )}
      {rows.length > 0 && words.length > 0 && (
        <p class="more">
          Deleted keys are in <a href={deletionsHref(words)}>the audit</a>.
        </p>
      )}
    </section>
  );
}

const keyOf = ({ kind, path }: TreeRow) => `${kind} ${path}`;

function Line({ row }: { row: TreeRow }) {
  const indent = { paddingInlineStart: `${12 + row.depth * 16}px` };
  if (row.kind === "branch") {
    return (
      <div class="tree-line" style={indent}>
        <Icon name={row.open ? "open" : "closed"} />
        <span class="tree-name">{row.name === "" ? "(nothing)" : row.name}/</span>
        <small class="number">{row.size}</small>
      </div>
    );
  }
  // Read here, so that a write draws its own line anew and no other.
  const found = keys.value?.get(row.path);
  return (
    <div class="tree-line" style={indent}>
      <span class="tree-name tree-leaf" title={row.path}>
        {row.name === "" ? "(nothing)" : row.name}
      </span>
      {found && (
        <>
          <small class="tree-by" title={`Changed by ${whoOf(found.by)}`}>
            {whoOf(found.by)}
          </small>
          <small class="number">v{found.version}</small>
          <small class="number age" title={new Date(found.at).toLocaleString()}>
            {showAge(now.value - found.at)}
          </small>
        </>
      )}
    </div>
  );
}
