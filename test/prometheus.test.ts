import { afterAll, beforeAll, expect, test } from "bun:test";
import parse from "parse-prometheus-text-format";
import { prometheusText } from "../src/metrics/prometheus.ts";
import { type TestServer, openSocket, startServer } from "./harness.ts";
import { startReceiver, until } from "./webhooks-harness.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.dispose());

async function scrape() {
  const response = await server.ask("/metrics");
  const text = await response.text();
  const families = new Map(parse(text).map((family) => [family.name, family]));
  const value = (name: string, labels: Record<string, string> = {}) => {
    const found = families
      .get(name)
      ?.metrics.find((metric) =>
        Object.entries(labels).every(([label, wanted]) => metric.labels?.[label] === wanted),
      );
    return found?.value === undefined ? undefined : Number(found.value);
  };
  return { response, text, families, value };
}

const put = (key: string) => server.ask(`/api/state/${key}`, { method: "PUT", body: "1" });

test("a real parser reads every family, and each has its type and its help", async () => {
  await put("first");
  const { response, text, families } = await scrape();
  expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  for (const { name, help, metrics } of families.values()) {
    expect(name).toMatch(/^(koor|process)_[a-z_]+$/);
    expect(help).not.toBe("");
    expect(metrics).not.toBeEmpty();
  }
  for (const line of text.trimEnd().split("\n"))
    expect(line).toMatch(/^(# (HELP|TYPE) \w+ .+|\w+(\{\w+="[^"]*"(,\w+="[^"]*")*\})? [\d.e+-]+)$/);
  expect(families.get("koor_requests_total")?.type).toBe("COUNTER");
  expect(families.get("koor_database_bytes")?.type).toBe("GAUGE");
  expect(families.get("koor_commit_batch_size")?.type).toBe("HISTOGRAM");
});

test("requests are counted by operation and status, also what meets no operation", async () => {
  const before = await scrape();
  for (const key of ["a", "b", "c"]) await put(key);
  await server.ask("/api/state/missing");
  await server.ask("/api/state", { method: "DELETE" });
  await server.ask("/no/such/route");
  await server.ask("/mcp", { method: "POST", body: "{}" });
  const after = await scrape();
  const more = (operation: string, status: string) =>
    (after.value("koor_requests_total", { operation, status }) ?? 0) -
    (before.value("koor_requests_total", { operation, status }) ?? 0);
  expect(more("state.put", "200")).toBe(3);
  expect(more("state.get", "404")).toBe(1);
  expect(more("none", "405")).toBe(1);
  expect(more("none", "404")).toBe(1);
  expect(more("mcp", "415")).toBe(1);
  expect(more("prometheus", "200")).toBe(1);
});

test("each operation has a histogram of its own, whose buckets add up", async () => {
  await put("timed");
  const { text } = await scrape();
  const series = [
    ...text.matchAll(/^koor_request_seconds_bucket\{operation="state.put",le="(.+)"\} (\d+)$/gm),
  ];
  const counts = series.map(([, , count]) => Number(count));
  expect(counts.toSorted((a, b) => a - b)).toEqual(counts);
  expect(series.at(-1)?.[1]).toBe("+Inf");
  expect(text).toContain(`koor_request_seconds_count{operation="state.put"} ${counts.at(-1)}\n`);
  const [, sum] = /^koor_request_seconds_sum\{operation="state.put"\} (\S+)$/m.exec(text) ?? [];
  expect(Number(sum)).toBeGreaterThan(0);
});

test("commits are told with how many shared a transaction, and what it and its sync took", async () => {
  const count = async (name: string) =>
    Number(new RegExp(`^${name} (\\S+)$`, "m").exec((await scrape()).text)?.[1]);
  const before = await count("koor_commit_batch_size_sum");
  await Promise.all(Array.from({ length: 50 }, (_, at) => put(`batch/${at}`)));
  expect((await count("koor_commit_batch_size_sum")) - before).toBe(50);
  expect(await count("koor_commit_seconds_count")).toBe(await count("koor_commit_batch_size_count"));
  expect(await count("koor_commit_seconds_sum")).toBeGreaterThan(0);
});

test("who follows, what is stored and what webhooks do is told", async () => {
  const socket = await openSocket(`${server.url}/api/events/subscribe`);
  const receiver = startReceiver(() => 500);
  const body = JSON.stringify({ id: "w", url: receiver.url });
  await server.ask("/api/webhooks", { method: "POST", body });
  await server.ask("/api/events/publish", { method: "POST", body: '{"topic":"t"}' });
  await socket.next();
  await receiver.got(1);
  await until(async () => (await scrape()).value("koor_webhook_retries") === 1);
  const { value } = await scrape();
  expect(value("koor_subscribers", { log: "events" })).toBe(1);
  expect(value("koor_subscribers", { log: "changes" })).toBe(0);
  expect(value("koor_subscribers", { log: "webhooks" })).toBe(1);
  expect(value("koor_subscriber_lag", { log: "events" })).toBe(0);
  expect(value("koor_gaps_total", { log: "events" })).toBe(0);
  expect(value("koor_slow_readers_total")).toBe(0);
  expect(value("koor_webhooks_served")).toBe(1);
  expect(value("koor_webhook_attempts_total", { outcome: "failed" })).toBe(1);
  expect(value("koor_webhook_missed_total")).toBe(0);
  expect(value("koor_database_bytes")).toBeGreaterThan(10_000);
  expect(value("koor_records", { collection: "webhooks" })).toBe(1);
  expect(value("process_resident_memory_bytes")).toBeGreaterThan(1_000_000);
  const metrics = (await server.json("/api/metrics")).body;
  expect(value("koor_state_keys")).toBe(metrics.state_keys);
  expect(value("koor_rest_calls_total")).toBe(metrics.token_tax.rest_calls);
  expect(value("koor_last_event_id")).toBe(metrics.last_event_id);
  socket.close();
  await socket.closed;
  await until(async () => (await scrape()).value("koor_subscribers", { log: "events" }) === 0);
  await receiver.stop();
});

test("no caller makes new series, whatever it asks for (LIMIT-1)", async () => {
  const odd = (at: number) => [
    server.ask(`/none/${at}`),
    server.ask(`/api/state/odd${at}`),
    server.ask("/api/events/publish", { method: "POST", body: JSON.stringify({ topic: `odd.${at}` }) }),
    server.ask("/api/state", { method: `ODD${at}` }),
  ];
  const series = async () => (await scrape()).text.split("\n").length;
  await Promise.all(odd(0));
  await scrape();
  const before = await series();
  for (let at = 1; at < 100; at++) await Promise.all(odd(at));
  expect(await series()).toBe(before);
});

test("labels are escaped as the format has it", () => {
  const odd = 'a"b\\c\nd';
  const text = prometheusText([
    { name: "koor_x", help: "x", type: "gauge", samples: [{ labels: { label: odd }, value: 1.5 }] },
    { name: "koor_none", help: "left out", type: "gauge", samples: [] },
  ]);
  expect(parse(text)).toEqual([
    { name: "koor_x", help: "x", type: "GAUGE", metrics: [{ value: "1.5", labels: { label: odd } }] },
  ]);
});
