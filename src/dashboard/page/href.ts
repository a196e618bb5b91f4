import { fillPath } from "../../client/address.ts";

/** A path of the page with names in it; undefined for the few names that no URL carries (`.` and `..`). */
export function hrefOf(template: string, params: Readonly<Record<string, string>>): string | undefined {
  try {
    return fillPath(template, params);
  } catch {
    return undefined;
  }
}
