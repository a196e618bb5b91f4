import { signal } from "@preact/signals";
import { views } from "../views.ts";
import { go, pathOf } from "./router.ts";

/** Keys that work everywhere, but while somebody types. */

export const helpOpen = signal(false);

export const shortcuts: readonly (readonly [keys: string, meaning: string])[] = [
  ["/", "Search in this view"],
  ["↑ ↓", "Through a list; Page Up, Page Down, Home, End too"],
  ["Enter", "Open what the arrows stand at; in a search for keys or specs the first that is found"],
  ["← →", "Close and open a branch of the tree of keys"],
  ["Esc", "Leave a field or a window"],
  ["?", "This help"],
];

export function beginKeyboard(): void {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const target = event.target as HTMLElement | null;
    const typing = target?.matches?.("input, textarea, select, [contenteditable]") ?? false;
    if (event.key === "Escape" && typing) target?.blur();
    if (event.key === "ArrowDown" && leadsToList(target)) return enterList(event);
    if (typing || document.querySelector("dialog[open]")) return;
    if (event.key === "/") {
      const field = document.querySelector<HTMLInputElement>("[data-search]");
      field?.focus();
      field?.select();
    } else if (event.key === "?") helpOpen.value = true;
    else if (/^[1-9]$/.test(event.key) && views[Number(event.key) - 1])
      go(pathOf(views[Number(event.key) - 1] as (typeof views)[number]));
    else return;
    event.preventDefault();
  });
}

/** Where the arrow keys have nothing else to do: a field for searching has one line, and no suggestions. */
function leadsToList(target: HTMLElement | null): boolean {
  return target?.matches?.("body, main, input[type=search]:not([list])") ?? false;
}

/** Into the list of the view, as if the key had been pressed there: to its first row, or on from the chosen one. */
function enterList(event: KeyboardEvent): void {
  const list = document.querySelector<HTMLElement>("main .virtual");
  if (document.querySelector("dialog[open]") || !list?.checkVisibility()) return;
  event.preventDefault();
  list.focus();
  list.dispatchEvent(new KeyboardEvent("keydown", { key: event.key }));
}
