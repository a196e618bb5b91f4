import type { EventRow, Row } from "../live/recent-events.ts";
import { Icon } from "../parts/icon.tsx";
import { Age, Clock } from "../parts/panel.tsx";
import { showNumber } from "../parts/show.ts";
import { useNarrow } from "../parts/use-narrow.ts";
import { VirtualList } from "../parts/virtual-list.tsx";
import { Who } from "../parts/who.tsx";
import { levelOf } from "./level.ts";

/** Height of a row, in CSS pixels: two lines where it is narrow. */
const rowHeight = 32;
const narrowRowHeight = 46;

interface ListProps {
  /** Those above this id came while somebody looked. */
  fresh: number;
  /** Whether times are told by the clock. */
  clock: boolean;
  rows: readonly Row[];
  chosen: number | undefined;
  onChoose: (row: EventRow) => void;
  onEnd: () => void;
}

/** Events, one line each. */
export function List({ fresh, clock, rows, chosen, onChoose, onEnd }: ListProps) {
  const narrow = useNarrow();
  return (
    <section
      class="panel master"
      aria-label="Events"
      data-narrow={narrow ? "" : undefined}
      data-clock={clock ? "" : undefined}
    >
      <VirtualList
        label="Events, newest first"
        items={rows}
        rowHeight={narrow ? narrowRowHeight : rowHeight}
        keyOf={keyOf}
        active={chosen === undefined ? undefined : `event${chosen}`}
        marks={(row) =>
          row.kind === "gap"
            ? { "data-gap": `${row.from}-${row.id}` }
            : {
                "data-event": row.id,
                "data-fresh": row.id > fresh ? "" : undefined,
                "data-level": levelOf(row.topic),
              }
        }
        onChoose={(row) => row.kind === "event" && onChoose(row)}
        onEnd={onEnd}
        row={(row) => <Line row={row} clock={clock} />}
      />
    </section>
  );
}

const keyOf = ({ kind, id }: Row) => `${kind}${id}`;

function Line({ row, clock }: { row: Row; clock: boolean }) {
  if (row.kind === "gap") {
    const { from, id } = row;
    return (
      <div class="event gap">
        {from === id ? `Event ${showNumber(id)} was` : `Events ${showNumber(from)} to ${showNumber(id)} were`}{" "}
        removed by the server before this page could show them.
      </div>
    );
  }
  const level = levelOf(row.topic);
  return (
    <div class="event">
      <span class="id number">{row.id}</span>
      {level && <span class="hidden">{level}</span>}
      <span class="topic" title={row.topic}>
        {level && <Icon name="warning" />}
        {row.topic}
      </span>
      <code class="line">{row.line}</code>
      <span class="source">
        <Who name={row.source} />
      </span>
      {clock ? <Clock at={row.createdAt} /> : <Age at={row.createdAt} />}
    </div>
  );
}
