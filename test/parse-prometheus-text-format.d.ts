declare module "parse-prometheus-text-format" {
  /** Reads Prometheus' text format. Of a histogram with labels it keeps one series only. */
  export default function parse(text: string): {
    name: string;
    help: string;
    type: "COUNTER" | "GAUGE" | "HISTOGRAM";
    metrics: { value?: string; labels?: Record<string, string>; buckets?: Record<string, string> }[];
  }[];
}
