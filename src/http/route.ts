import type { BunRequest, Server } from "bun";
import type { Glob } from "../core/glob.ts";
import type { Feed } from "../feed/feed.ts";
import type { Subscription } from "../feed/log.ts";
import type { Reader } from "./patience.ts";

/** What a socket carries from its handshake on. */
export interface SocketData extends Reader {
  feed: Feed;
  after: number;
  topic: Glob;
  hello: string | undefined;
  subscription: Subscription | undefined;
}

export type BunServer = Server<SocketData>;
export type RouteHandler = (request: BunRequest, server: BunServer) => Promise<Response | undefined>;
