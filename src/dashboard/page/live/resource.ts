import { type Signal, signal } from "@preact/signals";
import { useLayoutEffect } from "preact/hooks";
import type { Change } from "../server.ts";
import { onForget } from "./connection.ts";
import { type Kept, keepTrue } from "./keep-true.ts";

/** Something of the server's that the page keeps true while it is shown, wherever it is. */
export interface Resource<T> {
  /** undefined until it is there. */
  value: Signal<T | undefined>;
  /** Why it could not be had; "" when it could. */
  fault: Signal<string>;
  /** Asks anew, if it is shown. */
  refresh(): void;
  /** A hook: from now on, and as long as the component is there, kept true. */
  use(): T | undefined;
}

/**
 * @param concerns whether a change can make it another one
 * @param every as in `Question`
 */
export function resource<T>(
  ask: (signal: AbortSignal) => Promise<T>,
  concerns: (change: Change) => boolean,
  every?: number,
): Resource<T> {
  const value = signal<T | undefined>(undefined);
  const fault = signal("");
  let users = 0;
  let kept: Kept | undefined;

  onForget(() => {
    value.value = undefined;
  });

  const begin = () =>
    keepTrue({
      ask,
      concerns,
      onAnswer: (answer: T) => {
        value.value = answer;
      },
      onFault: (text) => {
        fault.value = text;
      },
      every,
    });

  return {
    value,
    fault,
    refresh: () => kept?.refresh(),
    use() {
      useLayoutEffect(() => {
        users += 1;
        kept ??= begin();
        return () => {
          users -= 1;
          if (users > 0) return;
          kept?.stop();
          kept = undefined;
        };
      }, []);
      return value.value;
    },
  };
}
