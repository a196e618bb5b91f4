import { type Change, client } from "../server.ts";
import { onChanges } from "./changes.ts";
import { onForget } from "./connection.ts";
import { resource } from "./resource.ts";

/** Projects with their specs. Each project is one question, asked again only when a spec of it has changed. */

/** Projects whose specs are read; of the others the page knows how many they have. */
export const maxRead = 200;
/** Questions that are under way at once: a browser refuses to ask some thousands. */
const atOnce = 8;

export interface Project {
  project: string;
  /** How many specs it has. */
  size: number;
  /** undefined: not read. */
  specs: readonly Spec[] | undefined;
}

interface Spec {
  name: string;
  version: number;
  updated_at: string;
}

/** What was read, by project. */
const known = new Map<string, readonly Spec[]>();
/** Specs that changed while they were being read; undefined: nobody reads. */
let changed: string[] | undefined;

const isSpec = ({ topic }: Change) => topic.startsWith("specs.") || topic.startsWith("contracts.");
/** Project and name may have slashes themselves, so that this may be one project too many. */
const isOf = (project: string) => (full: string) => full.startsWith(`${project}/`);

// Before the resource below hears of the same change, and asks.
onChanges((batch) => {
  if (batch === null) return known.clear();
  const specs = batch.filter(isSpec).map((change) => change.resource);
  if (specs.length === 0) return undefined;
  for (const project of known.keys()) if (specs.some(isOf(project))) known.delete(project);
  changed?.push(...specs);
  return undefined;
});
onForget(() => known.clear());

export const specs = resource(readAll, isSpec);

async function readAll(signal: AbortSignal): Promise<readonly Project[]> {
  const meanwhile: string[] = [];
  changed = meanwhile;
  const projects = await client.call("specs.projects", { signal });
  const wanted = projects.slice(0, maxRead).filter(({ project }) => !known.has(project));
  const read = new Map<string, readonly Spec[]>();
  const readSome = async () => {
    for (let next = wanted.shift(); next; next = wanted.shift()) {
      const { project } = next;
      read.set(project, (await client.call("specs.list", { params: { project }, signal })).specs);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, readSome));
  changed = undefined;
  const all = projects.map(({ project, specs: size }): Project => {
    return { project, size, specs: read.get(project) ?? known.get(project) };
  });
  known.clear();
  // What changed while it was being read is read again.
  for (const { project, specs } of all)
    if (specs && !meanwhile.some(isOf(project))) known.set(project, specs);
  return all;
}
