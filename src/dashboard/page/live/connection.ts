import { computed, signal } from "@preact/signals";
import { ClientError, type SubscriptionState } from "../server.ts";
import { serverTime } from "./clock.ts";

/** Whether the page is in touch with the server, and may be. */

export const session = signal<"none" | "needed" | "open">("none");

type StreamState = SubscriptionState | "connecting";
const streams = { changes: signal<StreamState>("connecting"), events: signal<StreamState>("connecting") };
const order: readonly StreamState[] = ["waiting", "connecting", "polling", "live"];

/** The worse of the two streams. */
export const connection = computed<StreamState>(
  () => order.find((state) => state === streams.changes.value || state === streams.events.value) ?? "live",
);

/** When the page was last in touch, in milliseconds since 1970. */
export const inTouchAt = signal(0);

/** The longest wait before the next attempt to connect, in milliseconds: a person is looking. */
const reconnectWithin = 2000;
/** How often a silent server is asked whether it is there, in milliseconds: within two of these the page says that it is not. */
const pingEvery = 5000;

export const streamTimes = { backoffMaxMs: reconnectWithin, pingMs: pingEvery };

type Follower = (signal: AbortSignal) => Promise<void>;
const followers: { stream: keyof typeof streams; follow: Follower; forget: () => void }[] = [];
const forgetters: (() => void)[] = [];

/** Ends what is under way; a new one for each login. */
let running = new AbortController();

/**
 * Declares a stream of the page.
 *
 * @param follow runs until aborted; when it fails it is begun anew
 * @param forget drops what it has, since it is of another history
 */
export function stream(name: keyof typeof streams, follow: Follower, forget: () => void): void {
  followers.push({ stream: name, follow, forget });
}

/** Called when what is shown is not to be shown any more: after logging out, or when the data was replaced. */
export function onForget(forget: () => void): void {
  forgetters.push(forget);
}

/** Ends what is asked for: of a server that is not there any more it may never be answered. */
let asking = new AbortController();

/** For a question that is asked anew when the server is back. */
export function askingSignal(): AbortSignal {
  return AbortSignal.any([running.signal, asking.signal]);
}

export function sayState(name: keyof typeof streams, state: StreamState): void {
  if (streams[name].value === "live" && state === "waiting") {
    inTouchAt.value = serverTime();
    asking.abort();
    asking = new AbortController();
  }
  streams[name].value = state;
}

/** Goes live. */
export function connect(): void {
  running = new AbortController();
  for (const follower of followers) void keepOn(follower, running.signal);
}

/** Rises when all that is followed is followed anew. */
export const connections = signal(0);

/** Goes live anew: browsers cannot ask a WebSocket whether the other side is there still. */
export function reconnect(): void {
  if (session.value === "needed") return;
  running.abort();
  connections.value += 1;
  connect();
}

/** Goes live after a login. */
export function loggedIn(): void {
  session.value = "open";
  connect();
}

/** Stops, and asks for the token. What was shown is forgotten. */
export function loggedOut(): void {
  running.abort();
  session.value = "needed";
  for (const { forget } of followers) forget();
  for (const forget of forgetters) forget();
  for (const state of Object.values(streams)) state.value = "connecting";
}

/** Whether the session has ended; then the token is asked for. */
export function noticeLogout(error: unknown): boolean {
  if (!(error instanceof ClientError) || error.status !== 401) return false;
  if (session.value !== "needed") loggedOut();
  return true;
}

async function keepOn({ stream, follow, forget }: (typeof followers)[number], signal: AbortSignal) {
  while (!signal.aborted) {
    try {
      await follow(signal);
    } catch (error) {
      if (signal.aborted || noticeLogout(error)) return;
      // `gone`: the data was replaced, so what is shown is of another history. All else passes.
      if (error instanceof ClientError && error.reason === "gone") {
        forget();
        for (const drop of forgetters) drop();
      } else sayState(stream, "waiting");
      await new Promise((resolve) => setTimeout(resolve, reconnectWithin / 2));
    }
  }
}
