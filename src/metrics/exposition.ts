import type { Feed } from "../feed/feed.ts";
import type { Store } from "../store/store.ts";
import type { DispatcherFigures } from "../webhooks/dispatcher.ts";
import type { Ledger } from "./ledger.ts";
import type { Meters } from "./meters.ts";
import { type Family, counter, gauge, histogram, perName, prometheusText } from "./prometheus.ts";

/** Where the numbers come from. Functions are asked at each scrape. */
export interface ExpositionSources {
  store: Pick<Store, "heads" | "size">;
  ledger: Ledger;
  meters: Meters;
  version: string;
  /** Milliseconds since 1970. */
  now: () => number;
  /** By the log that they follow. */
  feeds: Readonly<Record<string, Pick<Feed, "subscriptions" | "lag" | "gaps">>>;
  /** Requests that wait for something to happen. */
  waiting: () => number;
  /** Bytes that wait in this process for slow readers. */
  bufferedBytes: () => number;
  /** Requests without a valid token. */
  strangers: () => number;
  webhooks: () => DispatcherFigures;
  /** Resident memory of this process, in bytes. */
  memoryBytes: () => number;
}

/** `GET /metrics`: what the server counts and how it stands, as Prometheus reads it. */
export function expositionOf(sources: ExpositionSources): () => Promise<string> {
  const startedAt = sources.now();
  return async () => {
    const [heads, bytes] = await Promise.all([sources.store.heads(), sources.store.size()]);
    return prometheusText([
      ...requestFamilies(sources.meters),
      counter("koor_unauthorized_total", "Requests without a valid token.", sources.strangers()),
      ...commitFamilies(sources.meters),
      ...readerFamilies(sources),
      ...webhookFamilies(sources.webhooks()),
      gauge("koor_database_bytes", "What the database takes up.", bytes),
      perName("gauge", "koor_records", "Records that are there, by collection.", "collection", heads.live),
      gauge("koor_state_keys", "Keys of the state store.", heads.live.state),
      gauge("koor_instances", "Registered instances.", heads.live.instances),
      gauge("koor_last_event_id", "Position of the newest event.", heads.events),
      gauge("koor_last_change_id", "Position of the newest change.", heads.audit),
      ...ledgerFamilies(sources.ledger),
      gauge("koor_uptime_seconds", "Since the server started.", (sources.now() - startedAt) / 1000),
      gauge("process_resident_memory_bytes", "Resident memory of the server.", sources.memoryBytes()),
      perName("gauge", "koor_info", "Always 1; the label is the version.", "version", {
        [sources.version]: 1,
      }),
    ]);
  };
}

function requestFamilies({ requests }: Meters): Family[] {
  const all = [...requests];
  return [
    {
      name: "koor_requests_total",
      help: "Requests by operation and status; none: no such route.",
      type: "counter",
      samples: all.flatMap(([operation, { byStatus }]) =>
        [...byStatus].map(([status, value]) => ({ labels: { operation, status: String(status) }, value })),
      ),
    },
    {
      name: "koor_request_seconds",
      help: "From a request's headers to its answer, waits included.",
      type: "histogram",
      samples: all.map(([operation, { seconds }]) => ({ labels: { operation }, histogram: seconds })),
    },
  ];
}

function commitFamilies({ batchSize, commitSeconds, syncSeconds }: Meters): Family[] {
  return [
    histogram("koor_commit_batch_size", "Commits that shared a transaction.", batchSize),
    histogram("koor_commit_seconds", "A transaction, from its first read to its end.", commitSeconds),
    histogram("koor_commit_sync_seconds", "Its end alone, with the fsync; SQLite only.", syncSeconds),
  ];
}

function readerFamilies({ feeds, meters, waiting, bufferedBytes }: ExpositionSources): Family[] {
  const of = (figure: "subscriptions" | "lag" | "gaps") =>
    Object.fromEntries(Object.entries(feeds).map(([log, feed]) => [log, feed[figure]]));
  return [
    perName("gauge", "koor_subscribers", "Who follows now, by log.", "log", of("subscriptions")),
    perName("gauge", "koor_subscriber_lag", "Entries that the slowest has before it.", "log", of("lag")),
    perName("counter", "koor_gaps_total", "Times retention was faster than a reader.", "log", of("gaps")),
    counter("koor_slow_readers_total", "Readers sent away for taking nothing.", meters.slowReaders),
    gauge("koor_waiting_requests", "Requests that wait for something to happen.", waiting()),
    gauge("koor_buffered_bytes", "Bytes that wait for slow readers.", bufferedBytes()),
  ];
}

function webhookFamilies(figures: DispatcherFigures): Family[] {
  const { lanes, delivered, failed, missed, kept, keptBytes, lag } = figures;
  const attempts = { delivered, failed };
  return [
    gauge("koor_webhooks_served", "Webhooks that this server delivers for.", lanes),
    perName("counter", "koor_webhook_attempts_total", "Attempts to deliver.", "outcome", attempts),
    counter("koor_webhook_missed_total", "Events that were lost for a webhook.", missed),
    gauge("koor_webhook_retries", "Deliveries kept for another attempt.", kept),
    gauge("koor_webhook_retry_bytes", "What of them is kept.", keptBytes),
    gauge("koor_webhook_lag", "Events that the slowest webhook has before it.", lag),
  ];
}

function ledgerFamilies(ledger: Ledger): Family[] {
  const { restCalls, mcpCalls, restBytes, mcpBytes } = ledger.read();
  return [
    counter("koor_rest_calls_total", "Calls over REST and by the CLI.", restCalls),
    counter("koor_mcp_calls_total", "Tool lists and calls over MCP.", mcpCalls),
    counter("koor_rest_bytes_total", "Bytes that passed outside models' contexts.", restBytes),
    counter("koor_mcp_bytes_total", "Bytes that passed through models' contexts.", mcpBytes),
  ];
}
