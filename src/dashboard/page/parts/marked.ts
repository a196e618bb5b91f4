import { place } from "../router.ts";

/** What the address points at by a field of its query: `/leases?lease=ID`. */

export function isMarked(field: string, id: string): boolean {
  return place.value.query.get(field) === id;
}

/** Attributes of what the address may point at: it is marked, and comes into view once. */
export function markedBy(field: string, id: string) {
  return isMarked(field, id) ? { "data-marked": "", "aria-current": true, ref: show } : {};
}

function show(element: Element | null): void {
  // After the view itself has come into view.
  requestAnimationFrame(() => element?.scrollIntoView({ block: "center" }));
}
