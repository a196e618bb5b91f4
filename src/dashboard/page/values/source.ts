import { type Change, type StoredValue, type Version, client } from "../server.ts";

/** A thing with versions: a key of the state, or a spec. What can be done with it is the same. */
export interface Source {
  /** `state` or `specs`, and its name: what changes of it are told by. */
  id: string;
  /** As a person names it. */
  name: string;
  /** How koor-cli reads it. */
  command: string;
  concerns(change: Change): boolean;
  read(version: number | undefined, signal?: AbortSignal): Promise<StoredValue>;
  history(signal?: AbortSignal): Promise<readonly Version[]>;
  /** @param etag of what it is to replace; undefined: nothing must be there */
  write(body: string, contentType: string, etag: string | undefined): Promise<{ version: number }>;
  /** @param current the version that it is to replace: what came in between stays; undefined: it was deleted */
  rollBack(version: number, current: number | undefined): Promise<unknown>;
  /** @param etag of what is to be deleted: what came in between stays */
  remove(etag: string): Promise<unknown>;
  /** Where a version is, for what only the browser can show. */
  url(version: number): string | undefined;
}

/** Versions that are listed. */
export const shownVersions = 200;
const limit = String(shownVersions);

const conditionOf = (etag: string | undefined) =>
  etag === undefined ? { noneMatch: "*" as const } : { match: [etag] };

export function stateSource(key: string): Source {
  const params = { key };
  return {
    id: `state ${key}`,
    name: key,
    command: `state get ${quoted(key)}`,
    concerns: ({ topic }) => topic === `state.${key}`,
    read: (version, signal) =>
      client.call("state.get", { params, query: queryOf(version), ...(signal && { signal }) }),
    history: async (signal) =>
      (await client.call("state.history", { params, query: { limit }, ...(signal && { signal }) })).versions,
    write: (body, contentType, etag) =>
      client.call("state.put", { params, body, contentType, condition: conditionOf(etag) }),
    rollBack: (version, current = 0) =>
      client.call("state.rollback", {
        params,
        query: { rollback: String(version) },
        condition: { version: current },
      }),
    remove: (etag) => client.call("state.delete", { params, condition: conditionOf(etag) }),
    url: (version) => client.url("state.get", { params, query: { version } }),
  };
}

export function specSource(project: string, name: string): Source {
  const params = { project, name };
  const full = `${project}/${name}`;
  return {
    id: `specs ${full}`,
    name: full,
    command: `specs get ${quoted(full)}`,
    concerns: ({ topic, resource }) => topic.startsWith("specs.") && resource === full,
    read: (version, signal) =>
      client.call("specs.get", { params, query: queryOf(version), ...(signal && { signal }) }),
    history: async (signal) =>
      (await client.call("specs.history", { params, query: { limit }, ...(signal && { signal }) })).versions,
    write: (body, contentType, etag) =>
      client.call("specs.put", { params, body, contentType, condition: conditionOf(etag) }),
    rollBack: (version, current = 0) =>
      client.call("specs.rollback", {
        params,
        query: { rollback: String(version) },
        condition: { version: current },
      }),
    remove: (etag) => client.call("specs.delete", { params, condition: conditionOf(etag) }),
    url: () => undefined,
  };
}

function queryOf(version: number | undefined) {
  return version === undefined ? {} : { version: String(version) };
}

/** For a shell: what is in a name runs nothing. */
function quoted(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
