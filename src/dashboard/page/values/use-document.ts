import { useAnswer } from "../live/use-answer.ts";
import { ClientError, type StoredValue, type Version } from "../server.ts";
import { type Content, contentOf } from "./content.ts";
import type { Source } from "./source.ts";

/** A value as it is now, and its versions; both kept true as long as they are shown. */
export interface Document {
  /** undefined: it is not there. */
  stored: StoredValue | undefined;
  content: Content | undefined;
  /** Newest first. */
  versions: readonly Version[];
}

export function useDocument(source: Source): { document: Document | undefined; fault: string } {
  const { answer: document, fault } = useAnswer((signal) => read(source, signal), source.concerns, [
    source.id,
  ]);
  return { document, fault };
}

async function read(source: Source, signal: AbortSignal): Promise<Document> {
  const [stored, versions] = await Promise.all([
    source.read(undefined, signal).catch(unlessMissing),
    source.history(signal),
  ]);
  const content = stored?.bytes ? contentOf(stored.bytes, stored.content_type) : undefined;
  return { stored, content, versions };
}

/** What is not there is nothing. */
export function unlessMissing(error: unknown): undefined {
  if (error instanceof ClientError && error.status === 404) return undefined;
  throw error;
}

/** One version by itself. */
export async function readVersion(source: Source, version: number, signal: AbortSignal): Promise<Content> {
  const { bytes, content_type: type } = await source.read(version, signal);
  return contentOf(bytes ?? new Uint8Array(), type);
}
