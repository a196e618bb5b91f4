import type { ComponentChildren, RefObject } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

/** A list of any length of which only what is in view is drawn. Rows have one height, in CSS pixels. */

/** Rows that are drawn above and below what is in view. */
const spare = 8;

interface VirtualListProps<T> {
  label: string;
  items: readonly T[];
  rowHeight: number;
  keyOf: (item: T) => string;
  /** @param isAt whether the arrows stand at it: of a grid, whether Tab leads into it */
  row: (item: T, isAt: boolean) => ComponentChildren;
  /** Of a row, beside what every row has: `data-*`, `aria-*`, `class`. */
  marks?: (item: T, index: number) => Record<string, string | number | boolean | undefined>;
  /** Of a grid not the row is pressed but what is in it: buttons and links. */
  role?: "listbox" | "tree" | "grid";
  /** The key of the chosen item. */
  active?: string | undefined;
  /** Of a grid only by Enter. */
  onChoose: (item: T, index: number) => void;
  /** What other keys do, with the item that the arrows stand at. @returns whether it did something */
  onKey?: (key: string, item: T, index: number) => boolean;
  /** Called when the end comes into view. */
  onEnd?: () => void;
}

export function VirtualList<T>(props: VirtualListProps<T>) {
  const { label, items, rowHeight, keyOf, row, marks, role = "listbox", active, onChoose } = props;
  const box = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const height = useHeight(box);
  const [cursor, setCursor] = useState<string | undefined>(undefined);
  const first = Math.max(0, Math.floor(top / rowHeight) - spare);
  const visible = items.slice(first, Math.ceil((top + height) / rowHeight) + spare);
  const at = cursor ?? active;
  const id = (key: string) => `${label.replaceAll(/\W+/g, "-")}-${hashOf(key)}`;
  const isDrawn = at !== undefined && visible.some((item) => keyOf(item) === at);
  useStillness(props, box, top);
  useReveal(props, box);
  useEffect(() => {
    if (items.length > 0 && first + visible.length === items.length) props.onEnd?.();
  }, [items, first, visible.length]);

  return (
    <div
      class="virtual"
      ref={box}
      role={role}
      aria-label={label}
      aria-rowcount={role === "grid" ? items.length : undefined}
      tabIndex={0}
      aria-activedescendant={isDrawn ? id(at) : undefined}
      onScroll={(event) => setTop(event.currentTarget.scrollTop)}
      onKeyDown={(event) => {
        const page = Math.max(1, Math.floor(height / rowHeight) - 1);
        const index = items.findIndex((item) => keyOf(item) === at);
        const next = answerKey(event, props, index, page);
        if (next === undefined) return;
        // From a button in a row back to where all keys are the list's.
        event.currentTarget.focus();
        setCursor(keyOf(items[next] as T));
        reveal(box.current, next * rowHeight, rowHeight);
      }}
      onFocusOut={({ currentTarget, relatedTarget }) => {
        if (!currentTarget.contains(relatedTarget as Node | null)) setCursor(undefined);
      }}
    >
      <div class="virtual-all" role="presentation" style={{ height: `${items.length * rowHeight}px` }}>
        <div role="presentation" style={{ transform: `translateY(${first * rowHeight}px)` }}>
          {visible.map((item, offset) => {
            const key = keyOf(item);
            const index = first + offset;
            return (
              // Its keys are the list's own, as is its focus.
              <div
                key={key}
                id={id(key)}
                role={rowRoles[role]}
                class="virtual-row"
                style={{ height: `${rowHeight}px` }}
                aria-selected={key === active}
                {...(role === "grid"
                  ? { "aria-rowindex": index + 1 }
                  : { "aria-setsize": items.length, "aria-posinset": index + 1 })}
                data-cursor={key === cursor ? "" : undefined}
                onClick={() => {
                  setCursor(key);
                  if (role !== "grid") onChoose(item, index);
                }}
                {...marks?.(item, index)}
              >
                {row(item, key === cursor)}
              </div>
            );
          })}
        </div>
      </div>
    </div>
  );
}

const rowRoles = { listbox: "option", tree: "treeitem", grid: "row" } as const;

type Box = RefObject<HTMLDivElement | null>;

/** How high the list is, in CSS pixels. */
function useHeight(box: Box): number {
  const [height, setHeight] = useState(600);
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return undefined;
    const look = () => setHeight(element.clientHeight);
    const observer = new ResizeObserver(look);
    observer.observe(element);
    look();
    return () => observer.disconnect();
  }, []);
  return height;
}

/** What comes in above must not move what somebody reads. */
function useStillness<T>({ items, rowHeight, keyOf }: VirtualListProps<T>, box: Box, top: number): void {
  const anchor = useRef<{ key: string; index: number } | undefined>(undefined);
  useLayoutEffect(() => {
    const element = box.current;
    const held = anchor.current;
    if (!element || !held || element.scrollTop < rowHeight) return;
    const now = items[held.index];
    if (now !== undefined && keyOf(now) === held.key) return;
    const index = items.findIndex((item) => keyOf(item) === held.key);
    if (index !== -1) element.scrollTop += (index - held.index) * rowHeight;
  }, [items]);
  useEffect(() => {
    const index = Math.floor(top / rowHeight);
    const item = items[index];
    anchor.current = item === undefined ? undefined : { key: keyOf(item), index };
  });
}

/** Who comes by an address finds what it names. */
function useReveal<T>({ items, rowHeight, keyOf, active }: VirtualListProps<T>, box: Box): void {
  const index = active === undefined ? -1 : items.findIndex((item) => keyOf(item) === active);
  useEffect(() => {
    if (index !== -1) reveal(box.current, index * rowHeight, rowHeight);
  }, [active, index !== -1]);
}

function reveal(element: HTMLElement | null, from: number, height: number): void {
  if (!element) return;
  const { scrollTop, clientHeight } = element;
  if (from < scrollTop) element.scrollTop = from;
  else if (from + height > scrollTop + clientHeight) element.scrollTop = from + height - clientHeight;
}

/** @returns where the arrows stand afterwards, if they moved */
function answerKey<T>(
  event: KeyboardEvent,
  { items, onChoose, onKey }: VirtualListProps<T>,
  index: number,
  page: number,
): number | undefined {
  if (event.altKey || event.ctrlKey || event.metaKey || items.length === 0) return undefined;
  const steps: Record<string, number> = {
    ArrowDown: index + 1,
    ArrowUp: index === -1 ? 0 : index - 1,
    PageDown: index + page,
    PageUp: index - page,
    Home: 0,
    End: items.length - 1,
  };
  const step = steps[event.key];
  const item = items[index];
  if (step !== undefined) {
    event.preventDefault();
    return Math.min(items.length - 1, Math.max(0, step));
  }
  // What is in the row has keys of its own.
  if (item === undefined || event.target !== event.currentTarget) return undefined;
  const chooses = event.key === "Enter" || event.key === " ";
  if (chooses) onChoose(item, index);
  if (chooses || onKey?.(event.key, item, index)) event.preventDefault();
  return undefined;
}

/** A name for an element out of any text: keys are hostile, and ids must not have spaces. */
function hashOf(text: string): string {
  let hash = 5381;
  for (let at = 0; at < text.length; at++) hash = (hash * 33 + text.charCodeAt(at)) | 0;
  return `${text.length}-${(hash >>> 0).toString(36)}`;
}
