import { signal } from "@preact/signals";
import { useEffect, useMemo, useState } from "preact/hooks";
import { type KeyRow, keySet, keys, keysFault, keysPartial, maxKeys, useKeys } from "../live/keys.ts";
import { now } from "../live/clock.ts";
import { Choice } from "../parts/choice.tsx";
import { Icon } from "../parts/icon.tsx";
import { Empty, Fault, Loading, ViewFrame, cli } from "../parts/panel.tsx";
import { SearchField } from "../parts/search-field.tsx";
import { count, showAge } from "../parts/show.ts";
import { VirtualList } from "../parts/virtual-list.tsx";
import { go, place } from "../router.ts";
import { hrefOf } from "../server.ts";
import { DocumentView } from "../values/document-view.tsx";
import { stateSource } from "../values/source.ts";
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
  useEffect(() => {
    if (chosen !== "") toggle(pathsAbove(chosen), true);
  }, [chosen]);
  return (
    <ViewFrame
      title="State"
      summary={all && summaryOf(all.size)}
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
          <Keys all={all} chosen={chosen} />
          {chosen !== "" && <DocumentView key={chosen} source={stateSource(chosen)} back="/state" />}
        </div>
      )}
      {creating && <NewKey onClose={() => setCreating(false)} />}
    </ViewFrame>
  );
}

function summaryOf(size: number): string {
  if (keysPartial.value) return `the first ${count(size, "key")}; reading on…`;
  return `${count(size, "key")}${size >= maxKeys ? " shown; there are more" : ""}`;
}

function toggle(paths: readonly string[], open: boolean): void {
  const next = new Map(toggled.peek());
  for (const path of paths) next.set(path, open);
  toggled.value = next;
}

function Keys({ all, chosen }: { all: ReadonlyMap<string, KeyRow>; chosen: string }) {
  const set = keySet.value;
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const found = useMemo(
    () => [...all.keys()].filter((key) => words.every((word) => key.toLowerCase().includes(word))),
    [set, words.join(" ")],
  );
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
    const href = hrefOf("/state/{key...}", { key: row.path });
    if (href !== undefined) go(href);
  };
  return (
    <section class="panel master key-list" aria-label="Keys">
      {rows.length === 0 ? (
        <p class="empty">No key has all of these words in it.</p>
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
          <small class="tree-by" title={`Changed by ${found.by || "nobody in particular"}`}>
            {found.by}
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
