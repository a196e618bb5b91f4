import { signal } from "@preact/signals";
import { type View, deepViews, views } from "../views.ts";

/** Where the page is: its address, and what it means. */
export interface Place {
  /** undefined: there is no such view. */
  view: View | undefined;
  /** What stands behind the view's own path, decoded: of `/state/plan/a` it is `["plan", "a"]`. */
  rest: readonly string[];
  query: URLSearchParams;
}

export const place = signal<Place>(readPlace(location.pathname, location.search));

export function readPlace(pathname: string, search: string): Place {
  const [first = "", ...rest] = pathname.replace(/^\//, "").split("/").map(decode);
  const query = new URLSearchParams(search);
  const view = first === "" ? "now" : views.find((name) => name === first && name !== "now");
  const parts = rest.filter((part) => part !== "");
  const known = view !== undefined && (parts.length === 0 || deepViews.has(view));
  return { view: known ? view : undefined, rest: parts, query };
}

export function pathOf(view: View): string {
  return view === "now" ? "/" : `/${view}`;
}

/** Goes to a path of the page. @param how `replace`: the way back does not lead here again */
export function go(href: string, how: "push" | "replace" = "push"): void {
  if (how === "push") history.pushState(null, "", href);
  else history.replaceState(null, "", href);
  arrive();
}

/** Changes the address: what it says is what is shown, and can be sent to somebody. @param how as of `go` */
export function setQuery(changes: Readonly<Record<string, string>>, how: "push" | "replace" = "push"): void {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(changes)) {
    if (value === "") query.delete(name);
    else query.set(name, value);
  }
  const text = query.toString();
  const href = location.pathname + (text === "" ? "" : `?${text}`);
  if (href !== location.pathname + location.search) go(href, how);
}

/** Follows the browser's own way back, and links to paths of the page. */
export function beginRouting(): void {
  window.addEventListener("popstate", arrive);
  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = (event.target as Element | null)?.closest?.("a[href]");
    const href = link?.getAttribute("href") ?? "";
    if (!href.startsWith("/") || href.startsWith("/api/") || link?.hasAttribute("download")) return;
    event.preventDefault();
    go(href);
  });
}

function arrive(): void {
  place.value = readPlace(location.pathname, location.search);
}

/** What is no percent-encoding stays as it is. */
function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
