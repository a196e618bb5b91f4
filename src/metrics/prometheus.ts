import type { Histogram } from "./meters.ts";

/** The content type of Prometheus' text format, version 0.0.4. */
export const prometheusType = "text/plain; version=0.0.4; charset=utf-8";

export type Labels = Readonly<Record<string, string>>;

/** All samples of one name, as the format wants them together. */
export type Family = { name: string; help: string } & (
  | { type: "gauge" | "counter"; samples: readonly { labels?: Labels; value: number }[] }
  | { type: "histogram"; samples: readonly { labels?: Labels; histogram: Histogram }[] }
);

export function gauge(name: string, help: string, value: number): Family {
  return { name, help, type: "gauge", samples: [{ value }] };
}

export function counter(name: string, help: string, value: number): Family {
  return { name, help, type: "counter", samples: [{ value }] };
}

export function histogram(name: string, help: string, one: Histogram): Family {
  return { name, help, type: "histogram", samples: [{ histogram: one }] };
}

/** One sample for each member, under a label of the member's name. */
export function perName(
  type: "gauge" | "counter",
  name: string,
  help: string,
  label: string,
  values: Readonly<Record<string, number>>,
): Family {
  const samples = Object.entries(values).map(([key, value]) => ({ labels: { [label]: key }, value }));
  return { name, help, type, samples };
}

/** As a scraper reads it. Families without samples are left out. */
export function prometheusText(families: readonly Family[]): string {
  return families
    .filter(({ samples }) => samples.length > 0)
    .map(
      (family) =>
        `# HELP ${family.name} ${family.help}\n# TYPE ${family.name} ${family.type}\n${lines(family)}`,
    )
    .join("");
}

function lines(family: Family): string {
  const { name } = family;
  if (family.type !== "histogram")
    return family.samples.map(({ labels, value }) => line(name, labels, value)).join("");
  return family.samples
    .map(({ labels = {}, histogram: { bounds, cumulative, count, sum } }) => {
      const below = cumulative();
      const buckets = bounds.map((bound, at) =>
        line(`${name}_bucket`, { ...labels, le: String(bound) }, below[at] as number),
      );
      return [
        ...buckets,
        line(`${name}_bucket`, { ...labels, le: "+Inf" }, count),
        line(`${name}_sum`, labels, sum),
        line(`${name}_count`, labels, count),
      ].join("");
    })
    .join("");
}

function line(name: string, labels: Labels | undefined, value: number): string {
  const pairs = Object.entries(labels ?? {}).map(([label, text]) => `${label}="${escape(text)}"`);
  return `${name}${pairs.length > 0 ? `{${pairs.join(",")}}` : ""} ${value}\n`;
}

function escape(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
