/** Deliveries that are begun before others have their turn: some 100 us each, so that no request waits for a thousand. */
const begunAtOnce = 16;

/** Lets deliveries begin in order of arrival, a few at a time. */
export function openPacer(): () => Promise<void> {
  const queue: (() => void)[] = [];

  function release(): void {
    for (const begin of queue.splice(0, begunAtOnce)) begin();
    if (queue.length > 0) setImmediate(release);
  }

  return () =>
    new Promise((resolve) => {
      queue.push(resolve);
      if (queue.length === 1) setImmediate(release);
    });
}
