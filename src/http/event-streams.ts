import { patternOf } from "../core/pattern.ts";
import type { Feed, Position } from "../feed/feed.ts";
import type { Subscription } from "../feed/log.ts";
import {
  type FollowersOptions,
  type Reader,
  closeCodes,
  followers,
  lastWords,
  refuseOneMore,
  watchReaders,
} from "./patience.ts";
import { eventStreamHeaders } from "./response.ts";
import type { BunServer } from "./route.ts";

/** How often a stream says something, in milliseconds: proxies and browsers give up on silence after half a minute. */
const heartbeat = 15_000;
/** Text that is gathered before it goes out, in characters. A reader that takes nothing costs this and an event. */
const gathered = 64 * 1024;

export interface StreamQuery extends Position {
  pattern?: string;
}

export interface EventStreams {
  /** @throws KoorError before anything is sent */
  open(
    request: Request,
    server: BunServer,
    feed: Feed,
    query: StreamQuery,
    reader: Reader,
  ): Promise<Response>;
  /** Bytes that wait in this process for their readers, over all streams. */
  bufferedBytes(): number;
  /** Tells every reader that the log is another one now, and ends its stream. */
  replaced(): void;
  /** Tells every reader that the server goes, and ends its stream. */
  close(): void;
}

interface Stream extends Pick<Reader, "isIn"> {
  subscription: Subscription;
  /** Comments and where it stands, so that a reader which is cut off in a quiet time resumes there. */
  beat(): void;
  /** Says why, ends the stream, and after a while the connection, too. */
  end(code: number, why: string): void;
  buffered(): number;
}

/** Logs as Server-Sent Events: each stream is a sink of a feed, which keeps its position. */
export function createEventStreams({ now, most = followers, onSlow }: FollowersOptions): EventStreams {
  const open = new Set<Stream>();
  const stopWatching = watchReaders(
    open,
    (stream) => stream,
    (stream, why) => {
      if (why === "loggedOut") return stream.end(closeCodes.loggedOut, "the session has ended");
      onSlow?.();
      return stream.end(closeCodes.slowReader, "slow reader");
    },
    now,
  );
  const beats = setInterval(() => {
    for (const stream of open) stream.beat();
  }, heartbeat);
  beats.unref();

  return {
    async open(request, server, feed, query, reader) {
      const topic = patternOf("pattern", query.pattern ?? "");
      const place = await feed.place(query);
      const headers = eventStreamHeaders(place.epoch);
      if (request.method === "HEAD") return new Response(null, { headers });
      refuseOneMore(open.size, most);
      // Bun cuts what is silent for ten seconds.
      server.timeout(request, 0);
      const hangUp = () => server.timeout(request, lastWords / 1000);
      const body = openStream({ feed, place, topic, reader, hangUp, signal: request.signal, open });
      return new Response(body, { headers });
    },
    bufferedBytes: () => [...open].reduce((bytes, stream) => bytes + stream.buffered(), 0),
    replaced() {
      for (const stream of open) stream.end(closeCodes.replaced, "a backup was restored");
    },
    close() {
      stopWatching();
      clearInterval(beats);
      for (const stream of open) stream.end(closeCodes.goingAway, "server stops");
    },
  };
}

interface Opening {
  feed: Feed;
  place: { epoch: string; after: number };
  topic: ReturnType<typeof patternOf>;
  reader: Reader;
  /** Closes the connection soon. */
  hangUp: () => void;
  /** The request's: aborted when the reader has gone. */
  signal: AbortSignal;
  /** The streams that are open. */
  open: Set<Stream>;
}

function openStream({ feed, place, topic, reader, hangUp, signal, open }: Opening): ReadableStream {
  const encoder = new TextEncoder();
  const { epoch } = place;
  let pending = "";
  let stream: Stream | undefined;

  /** Forgets the stream. Also when the reader has gone, who needs no last words. */
  function forget(): void {
    if (!stream) return;
    open.delete(stream);
    stream.subscription.close();
    stream = undefined;
  }

  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        function flush(): void {
          if (pending === "") return;
          const bytes = encoder.encode(pending);
          pending = "";
          reader.ledger.streamed(bytes.length);
          controller.enqueue(bytes);
        }
        const room = () => (controller.desiredSize ?? 0) > 0;
        function write(block: string): boolean {
          pending += block;
          const more = room();
          if (pending.length >= gathered || !more) flush();
          return more;
        }
        const block = (event: string, id: number | undefined, json: string) =>
          `${event === "" ? "" : `event: ${event}\n`}${id === undefined ? "" : `id: ${epoch}:${id}\n`}${dataLines(json)}\n`;

        const subscription = feed.subscribe({
          after: place.after,
          topic,
          sink: {
            send: (entry) => write(block("", entry.id, entry.frame())),
            gap: (from, to) => write(block("gap", to, JSON.stringify({ gap: { from, to } }))),
            idle: flush,
          },
        });
        const beat = () => {
          pending += `:\nid: ${epoch}:${subscription.position}\n\n`;
          if (room()) flush();
        };
        stream = {
          subscription,
          isIn: reader.isIn,
          beat() {
            // A reader that takes nothing is not told the time.
            if (subscription.blockedSince === undefined) beat();
          },
          end(code, why) {
            const after = subscription.position;
            pending += block("close", undefined, JSON.stringify({ code, after, reason: why }));
            flush();
            forget();
            controller.close();
            hangUp();
          },
          buffered: () => pending.length + gathered - (controller.desiredSize ?? gathered),
        };
        open.add(stream);
        signal.addEventListener("abort", forget);
        // At once, since a `fetch` of a stream hangs until the first byte.
        beat();
      },
      pull() {
        if (stream?.subscription.blockedSince !== undefined) stream.subscription.resume();
      },
      cancel: forget,
    },
    new ByteLengthQueuingStrategy({ highWaterMark: gathered }),
  );
}

/** A line's end in a text would end the field: each line gets a field of its own, which a reader joins again. */
function dataLines(text: string): string {
  return `data: ${/[\r\n]/.test(text) ? text.replaceAll(/\r\n|\r|\n/g, "\ndata: ") : text}\n`;
}
