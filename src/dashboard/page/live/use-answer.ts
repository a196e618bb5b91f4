import { useEffect, useState } from "preact/hooks";
import { onChanges } from "./changes.ts";
import { type Change, faultText } from "../server.ts";

/** What the server answers to a question, asked anew when a change concerns it. */
export function useAnswer<T>(
  ask: (signal: AbortSignal) => Promise<T>,
  concerns: (change: Change) => boolean,
  inputs: readonly unknown[],
): { answer: T | undefined; fault: string } {
  const [answer, setAnswer] = useState<T | undefined>(undefined);
  const [fault, setFault] = useState("");
  useEffect(() => {
    const aborter = new AbortController();
    const { signal } = aborter;
    const load = () => void answerNow();
    const answerNow = async () => {
      try {
        const given = await ask(signal);
        if (signal.aborted) return;
        setAnswer(given);
        setFault("");
      } catch (error) {
        if (!signal.aborted) setFault(faultText(error));
      }
    };
    setAnswer(undefined);
    setFault("");
    load();
    const stop = onChanges((batch) => {
      if (batch === null || batch.some(concerns)) load();
    });
    return () => {
      stop();
      aborter.abort();
    };
  }, inputs);
  return { answer, fault };
}
