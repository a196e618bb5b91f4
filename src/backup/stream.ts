/** How long a reader of a backup may take nothing, in milliseconds: it holds a snapshot of the database open. */
export const readerPatienceMs = 60_000;

/**
 * Pieces as a stream that makes the next one when it is asked for. A reader that leaves or stops ends the source; then the
 * stream breaks off, without the last line that makes a backup whole.
 *
 * @param onEnd called once, however it ends
 */
export function streamOf(
  source: AsyncGenerator<Uint8Array>,
  onEnd: () => void,
  patienceMs = readerPatienceMs,
): ReadableStream<Uint8Array> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let ended = false;

  async function end(): Promise<void> {
    clearTimeout(timer);
    if (ended) return;
    ended = true;
    onEnd();
    await source.return(undefined);
  }

  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      clearTimeout(timer);
      try {
        const { value, done } = await source.next();
        if (done) {
          controller.close();
          return await end();
        }
        controller.enqueue(value);
      } catch (error) {
        await end();
        throw error;
      }
      timer = setTimeout(() => {
        controller.error(new Error(`the reader took nothing for ${patienceMs} ms`));
        void end();
      }, patienceMs);
    },
    cancel: end,
  });
}
