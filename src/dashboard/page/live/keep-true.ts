import { type Change, faultText } from "../server.ts";
import { onChanges } from "./changes.ts";
import { askingSignal, connection, noticeLogout } from "./connection.ts";

/** How often something is asked for anew at most, in milliseconds: many changes that come together are one reason. */
const askEvery = 250;

export interface Question<T> {
  ask: (signal: AbortSignal) => Promise<T>;
  /** Whether a change can make the answer another one. */
  concerns: (change: Change) => boolean;
  onAnswer: (answer: T) => void;
  /** Why there is none; "" when there is. */
  onFault: (text: string) => void;
  /** Instead of `askEvery`. */
  every?: number | undefined;
}

export interface Kept {
  refresh(): void;
  stop(): void;
}

/** Asks now, and again when a change concerns it, one request at a time, until stopped. */
export function keepTrue<T>({ ask, concerns, onAnswer, onFault, every = askEvery }: Question<T>): Kept {
  const stopped = new AbortController();
  let busy = false;
  let stale = false;
  let askedAt = -Infinity;
  let timer: ReturnType<typeof setTimeout> | undefined;

  async function askNow(): Promise<void> {
    const signal = AbortSignal.any([stopped.signal, askingSignal()]);
    busy = true;
    stale = false;
    askedAt = performance.now();
    try {
      const answer = await ask(signal);
      if (signal.aborted) return;
      onAnswer(answer);
      onFault("");
    } catch (error) {
      // While nobody answers the page says so already, and asks anew when somebody does.
      const told = signal.aborted || noticeLogout(error) || connection.value === "waiting";
      if (!told) onFault(faultText(error));
    } finally {
      busy = false;
      if (stale) refresh();
    }
  }

  function refresh(): void {
    stale = true;
    if (busy || stopped.signal.aborted) return;
    timer ??= setTimeout(
      () => {
        timer = undefined;
        void askNow();
      },
      Math.max(0, askedAt + every - performance.now()),
    );
  }

  const unhear = onChanges((batch) => {
    if (batch === null || batch.some(concerns)) refresh();
  });
  void askNow();
  return {
    refresh,
    stop() {
      unhear();
      clearTimeout(timer);
      stopped.abort();
    },
  };
}
