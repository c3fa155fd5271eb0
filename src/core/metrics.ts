import { monitorEventLoopDelay } from "node:perf_hooks";
import type { Metric } from "prom-client";

interface MetricOptions {
  /** Prometheus naming: base units, `_total` for counters. */
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly string[];
}

interface HistogramOptions extends MetricOptions {
  /** Upper bounds, rising; seconds for a duration. */
  readonly buckets: readonly number[];
}

/** A row of the list of metrics in the documentation. */
export interface MetricRow extends Required<MetricOptions> {
  readonly kind: "counter" | "gauge" | "histogram";
}

type Labels = Readonly<Record<string, string>>;
type Read = (set: (value: number, labels?: Labels) => void) => void | Promise<void>;
type Collect = () => readonly Sample[] | Promise<readonly Sample[]>;

/** A line of the exposition format. */
interface Sample {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
  /** The metric's name when left out. */
  readonly metricName?: string;
}

/** The values of a metric by label set: plain numbers, because each request adds to some. */
class Series<Value extends { readonly labels: Labels }> {
  readonly #names: readonly string[];
  readonly #create: (labels: Labels) => Value;
  readonly #values = new Map<string, Value>();

  /** Without label names there is one value, from the start. */
  constructor(names: readonly string[], create: (labels: Labels) => Value) {
    this.#names = names;
    this.#create = create;
    if (names.length === 0) this.of({});
  }

  of(labels: Labels): Value {
    let key = "";
    for (const name of this.#names) key += `${labels[name]}\0`;
    let value = this.#values.get(key);
    if (value === undefined) {
      value = this.#create(labels);
      this.#values.set(key, value);
    }
    return value;
  }

  get all(): readonly Value[] {
    return [...this.#values.values()];
  }
}

/**
 * The process's Prometheus metrics. Labels have low cardinality: never an id, an address or free
 * text.
 */
export class Metrics {
  readonly #collects: Collect[] = [];
  readonly #rows: MetricRow[] = [];

  /** `zeros`: label sets exported as 0 from the start, so that `rate()` sees the first increment. */
  counter(options: MetricOptions, zeros: readonly Labels[] = []): { add(labels?: Labels): void } {
    const { labels: names = [] } = options;
    const series = new Series(names, (labels) => ({ labels, value: 0 }));
    for (const labels of zeros) series.of(labels);
    this.#register("counter", options, () => series.all);
    return {
      add: (labels = {}) => {
        series.of(labels).value += 1;
      },
    };
  }

  histogram(options: HistogramOptions): { observe(value: number, labels?: Labels): void } {
    const { name, labels: names = [], buckets } = options;
    const series = new Series(names, (labels) => {
      // The last is of what is above all bounds.
      return { labels, counts: new Float64Array(buckets.length + 1), sum: 0 };
    });
    this.#register("histogram", options, () =>
      series.all.flatMap(({ labels, counts, sum }) => {
        let count = 0;
        const samples: Sample[] = [...buckets, "+Inf"].map((le, index) => {
          count += counts[index] ?? 0;
          return { labels: { le, ...labels }, value: count, metricName: `${name}_bucket` };
        });
        samples.push({ labels, value: sum, metricName: `${name}_sum` });
        samples.push({ labels, value: count, metricName: `${name}_count` });
        return samples;
      }),
    );
    return {
      observe: (value, labels = {}) => {
        const one = series.of(labels);
        let index = 0;
        while (index < buckets.length && value > (buckets[index] ?? 0)) index += 1;
        one.counts[index] = (one.counts[index] ?? 0) + 1;
        one.sum += value;
      },
    };
  }

  /** `read` runs on each scrape; label sets that it does not set are left out. */
  gauge(options: MetricOptions, read: Read): void {
    this.#register("gauge", options, async () => {
      const samples = new Map<string, Sample>();
      await read((value, labels = {}) => samples.set(JSON.stringify(labels), { labels, value }));
      return [...samples.values()];
    });
  }

  /** Like `gauge`, for a counter whose total is kept elsewhere. */
  countElsewhere(options: MetricOptions, read: () => number): void {
    this.#register("counter", options, () => [{ labels: {}, value: read() }]);
  }

  /** In the order of registration. */
  get rows(): readonly MetricRow[] {
    return this.#rows;
  }

  readonly contentType = "text/plain; version=0.0.4; charset=utf-8";

  /** The text of the Prometheus exposition format; prom-client, which writes it, is loaded here. */
  async render(): Promise<string> {
    const { Registry } = await import("prom-client");
    const registry = new Registry();
    for (const [index, { kind, name, help }] of this.#rows.entries()) {
      const collect = this.#collects[index];
      const get = async () => ({ name, help, type: kind, values: await collect?.() });
      registry.registerMetric({ name, get } as unknown as Metric);
    }
    return registry.metrics();
  }

  #register(
    kind: MetricRow["kind"],
    { name, help, labels = [] }: MetricOptions,
    collect: Collect,
  ): void {
    if (this.#rows.some((row) => row.name === name)) {
      throw new Error(`the metric ${name} is registered twice`);
    }
    this.#rows.push({ kind, name, help, labels });
    this.#collects.push(collect);
  }
}

/** Cheap, and catches anything that blocks the event loop for longer. */
const sampleEveryMs = 100;

/**
 * Metrics of the process itself, named as in Prometheus' own clients. Disposing stops the
 * event-loop sampling.
 */
export function openProcessMetrics(metrics: Metrics): Disposable {
  const delays = monitorEventLoopDelay({ resolution: sampleEveryMs });
  delays.enable();
  const startedAt = Date.now() / 1000 - process.uptime();
  metrics.countElsewhere(
    { name: "process_cpu_seconds_total", help: "CPU time of the process, user and system." },
    () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1_000_000;
    },
  );
  metrics.gauge(
    { name: "process_resident_memory_bytes", help: "Resident memory of the process." },
    (set) => set(process.memoryUsage.rss()),
  );
  metrics.gauge(
    { name: "process_start_time_seconds", help: "When the process started, Unix time." },
    (set) => set(startedAt),
  );
  metrics.gauge(
    {
      name: "instant_event_loop_lag_seconds",
      help: "The longest time the event loop was blocked since the last scrape.",
    },
    (set) => {
      set(delays.max / 1e9);
      delays.reset();
    },
  );
  return { [Symbol.dispose]: () => delays.disable() };
}
