import type { BatchFigures } from "../store/store.ts";

/**
 * What is counted of what the server does, for Prometheus. In memory; it begins anew with the server. Labels are of
 * closed lists (operations of the contract, statuses of the contract's errors), so that no caller makes new series.
 */

/** Upper bounds of a request's time, in seconds: from a read of a small value to the longest wait. */
const requestBounds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60];
/** Of a commit's, in seconds: a sync takes about a millisecond on an ordinary disk. */
const commitBounds = [0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.125, 0.25, 0.5, 1];
/** Of how many commits share a transaction: up to the most that may. */
const batchBounds = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];

export interface Histogram {
  observe(value: number): void;
  readonly bounds: readonly number[];
  /** How many were at most each bound, and how many there were. */
  cumulative(): number[];
  readonly count: number;
  readonly sum: number;
}

export function createHistogram(bounds: readonly number[]): Histogram {
  const counts = Array.from({ length: bounds.length + 1 }, () => 0);
  let sum = 0;
  let count = 0;
  return {
    bounds,
    observe(value) {
      let at = 0;
      while (at < bounds.length && value > (bounds[at] as number)) at += 1;
      counts[at]! += 1;
      count += 1;
      sum += value;
    },
    cumulative() {
      let below = 0;
      return counts.slice(0, -1).map((one) => (below += one));
    },
    get count() {
      return count;
    },
    get sum() {
      return sum;
    },
  };
}

export interface Meters {
  /** @param operation one of the contract's, `mcp`, or `none` */
  request(operation: string, status: number, ms: number): void;
  batch(batch: BatchFigures): void;
  /** A reader was sent away because it took nothing. */
  slowReader(): void;
  readonly requests: ReadonlyMap<string, RequestMeter>;
  readonly batchSize: Histogram;
  readonly commitSeconds: Histogram;
  readonly syncSeconds: Histogram;
  readonly slowReaders: number;
}

export interface RequestMeter {
  byStatus: ReadonlyMap<number, number>;
  seconds: Histogram;
}

export function createMeters(): Meters {
  const requests = new Map<string, { byStatus: Map<number, number>; seconds: Histogram }>();
  const batchSize = createHistogram(batchBounds);
  const commitSeconds = createHistogram(commitBounds);
  const syncSeconds = createHistogram(commitBounds);
  let slowReaders = 0;
  return {
    requests,
    batchSize,
    commitSeconds,
    syncSeconds,
    request(operation, status, ms) {
      let meter = requests.get(operation);
      if (!meter)
        requests.set(operation, (meter = { byStatus: new Map(), seconds: createHistogram(requestBounds) }));
      meter.byStatus.set(status, (meter.byStatus.get(status) ?? 0) + 1);
      meter.seconds.observe(ms / 1000);
    },
    batch({ commits, ms, syncMs }) {
      batchSize.observe(commits);
      commitSeconds.observe(ms / 1000);
      if (syncMs !== undefined) syncSeconds.observe(syncMs / 1000);
    },
    slowReader() {
      slowReaders += 1;
    },
    get slowReaders() {
      return slowReaders;
    },
  };
}
