import { useMemo, useState } from "preact/hooks";
import { count } from "../parts/show.ts";
import { type Fold, type Pair, type Side, folded, pairsOf } from "./diff.ts";

/** Rows that are drawn. */
const maxRows = 3000;
/** Lines that one click unfolds: of two long texts a hundred thousand can be the same. */
const unfolded = 1000;

interface DiffViewProps {
  left: string;
  right: string;
  /** What the sides are. */
  leftTitle: string;
  rightTitle: string;
}

/** Two texts side by side; in a narrow place one below the other, line by line. */
export function DiffView({ left, right, leftTitle, rightTitle }: DiffViewProps) {
  const pairs = useMemo(() => pairsOf(left, right), [left, right]);
  const rows = useMemo(() => pairs && folded(pairs), [pairs]);
  if (!rows) return <p class="more">They are too large, or too different, to compare here.</p>;
  if (pairs?.every(({ same }) => same)) return <p class="more">They are the same.</p>;
  return (
    <div class="diff" role="group" aria-label={`${leftTitle} beside ${rightTitle}`} tabIndex={0}>
      <table>
        <colgroup>
          <col class="at-column" />
          <col />
          <col class="at-column" />
          <col />
        </colgroup>
        <thead>
          <tr>
            <th colSpan={2} scope="col" class="removed">
              <Sign kind="removed" /> {leftTitle}
            </th>
            <th colSpan={2} scope="col" class="added">
              <Sign kind="added" /> {rightTitle}
            </th>
          </tr>
        </thead>
        <tbody>
          {rows
            .slice(0, maxRows)
            .map((row, index) =>
              "count" in row ? <FoldRow key={index} fold={row} /> : <PairRow key={index} pair={row} />,
            )}
        </tbody>
      </table>
      {rows.length > maxRows && <p class="more">The first {maxRows} lines are shown.</p>}
    </div>
  );
}

function PairRow({ pair: { left, right, same } }: { pair: Pair }) {
  return (
    <tr class={same ? "same" : undefined}>
      <Cell side={left} kind={same ? "" : "removed"} />
      <Cell side={right} kind={same ? "" : "added"} />
    </tr>
  );
}

function Cell({ side, kind }: { side: Side | undefined; kind: string }) {
  if (!side) return <td class="none" colSpan={2} />;
  return (
    <>
      <td class={`at ${kind}`}>{side.number}</td>
      <td class={`line ${kind}`}>
        <Sign kind={kind} />
        {kind !== "" && <span class="hidden">{kind}: </span>}
        {side.text}
      </td>
    </>
  );
}

/** Which side a line is of, for those to whom its colour does not say it. */
function Sign({ kind }: { kind: string }) {
  return (
    <span class="sign" aria-hidden="true">
      {kind === "removed" ? "-" : kind === "added" ? "+" : ""}
    </span>
  );
}

function FoldRow({ fold: { count: lines, pairs } }: { fold: Fold }) {
  const [open, setOpen] = useState(0);
  return (
    <>
      {pairs.slice(0, open).map((pair) => (
        <PairRow key={pair.left?.number} pair={pair} />
      ))}
      {open < lines && (
        <tr class="fold">
          <td colSpan={4}>
            <button type="button" onClick={() => setOpen(open + unfolded)}>
              {count(lines - open, "line")} the same
            </button>
          </td>
        </tr>
      )}
    </>
  );
}
