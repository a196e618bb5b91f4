import { useLayoutEffect, useState } from "preact/hooks";
import type { Change } from "../server.ts";
import { keepTrue } from "./keep-true.ts";

/**
 * What the server answers to a component's own question, kept true while it is shown.
 *
 * @param inputs what the question is made of: another one is another question
 * @param every as in `Question`
 */
export function useAnswer<T>(
  ask: (signal: AbortSignal) => Promise<T>,
  concerns: (change: Change) => boolean,
  inputs: readonly unknown[],
  every?: number,
): { answer: T | undefined; fault: string } {
  const [answer, setAnswer] = useState<T | undefined>(undefined);
  const [fault, setFault] = useState("");
  useLayoutEffect(() => {
    setAnswer(undefined);
    setFault("");
    const onAnswer = (given: T) => setAnswer(() => given);
    return keepTrue({ ask, concerns, onAnswer, onFault: setFault, every }).stop;
  }, inputs);
  return { answer, fault };
}
