import { monitorEventLoopDelay } from "node:perf_hooks";
import { Counter, Gauge, Histogram, Registry } from "prom-client";

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

/**
 * The process's Prometheus metrics. Labels have low cardinality: never an id, an address or free
 * text.
 */
export class Metrics {
  readonly #registry = new Registry();
  readonly #rows: MetricRow[] = [];

  /** `zeros`: label sets exported as 0 from the start, so that `rate()` sees the first increment. */
  counter(options: MetricOptions, zeros: readonly Labels[] = []): { add(labels?: Labels): void } {
    const counter = new Counter(this.#register("counter", options));
    for (const values of zeros) counter.inc(values, 0);
    return { add: (values = {}) => counter.inc(values) };
  }

  histogram(options: HistogramOptions): { observe(value: number, labels?: Labels): void } {
    const settings = this.#register("histogram", options);
    const histogram = new Histogram({ ...settings, buckets: [...options.buckets] });
    return { observe: (value, values = {}) => histogram.observe(values, value) };
  }

  /** `read` runs on each scrape; label sets that it does not set are left out. */
  gauge(options: MetricOptions, read: Read): void {
    const isBare = options.labels === undefined;
    new Gauge({
      ...this.#register("gauge", options),
      async collect() {
        this.reset();
        if (isBare) this.remove(); // reset would set a gauge without labels to 0 instead of no value
        await read((value, values = {}) => this.set(values, value));
      },
    });
  }

  /** Like `gauge`, for a counter whose total is kept elsewhere. */
  countElsewhere(options: MetricOptions, read: () => number): void {
    new Counter({
      ...this.#register("counter", options),
      collect() {
        this.reset();
        this.inc(read());
      },
    });
  }

  /** In the order of registration. */
  get rows(): readonly MetricRow[] {
    return this.#rows;
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** The text of the Prometheus exposition format. */
  render(): Promise<string> {
    return this.#registry.metrics();
  }

  #register(kind: MetricRow["kind"], { name, help, labels = [] }: MetricOptions) {
    this.#rows.push({ kind, name, help, labels });
    return { name, help, labelNames: [...labels], registers: [this.#registry] };
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
