import { FINISHED, type FromWorker, type ToWorker } from "./messages.ts";

declare const self: Worker;

/** Says which step is at work. Shared memory and no message: it is there also when neither thread gets to its messages. */
export type Progress = (step: number) => void;

/**
 * The worker's side of a pool: one job in, one reply out; before all of them it says "ready". It may be killed at any
 * moment, so `perform` keeps nothing from one job to the next.
 */
export function serve(perform: (job: never, begin: Progress) => unknown): void {
  self.onmessage = ({ data: { job, progress } }: MessageEvent<ToWorker<never>>) => {
    const begin: Progress = (step) => void Atomics.store(progress, 0, step);
    let reply: FromWorker<unknown>;
    try {
      reply = { ok: true, result: perform(job, begin) };
    } catch (error) {
      reply = { ok: false, message: error instanceof Error ? error.message : String(error) };
    }
    begin(FINISHED);
    self.postMessage(reply);
  };
  self.postMessage("ready");
}
