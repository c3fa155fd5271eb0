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

/** Numbers that Prometheus asks for. Labels are of bounded kinds: never an id, an address, a text. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #rows: MetricRow[] = [];

  /** `zeros`: shown as 0 from the beginning, so that the first one is seen as a rise. */
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

  /** `read` is called when Prometheus asks; what it does not set is left out. */
  gauge(options: MetricOptions, read: Read): void {
    const isBare = options.labels === undefined;
    new Gauge({
      ...this.#register("gauge", options),
      async collect() {
        this.reset();
        if (isBare) this.remove(); // reset makes a gauge without labels 0; unset is no value
        await read((value, values = {}) => this.set(values, value));
      },
    });
  }

  /** As `gauge`, for a sum that somebody else keeps. */
  countElsewhere(options: MetricOptions, read: () => number): void {
    new Counter({
      ...this.#register("counter", options),
      collect() {
        this.reset();
        this.inc(read());
      },
    });
  }

  /** What there is, in the order it was added. */
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

/** How often the event loop is looked at: cheap, and finds what blocks it for longer. */
const sampleEveryMs = 100;

/**
 * What the process itself costs, under the names that Prometheus' own clients use. Dispose of it to
 * end the look at the event loop.
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
    { name: "process_resident_memory_bytes", help: "Memory that the process holds." },
    (set) => set(process.memoryUsage.rss()),
  );
  metrics.gauge(
    { name: "process_start_time_seconds", help: "When the process started, Unix time." },
    (set) => set(startedAt),
  );
  metrics.gauge(
    {
      name: "instant_event_loop_lag_seconds",
      help: "The longest time the event loop was blocked since this was last asked.",
    },
    (set) => {
      set(delays.max / 1e9);
      delays.reset();
    },
  );
  return { [Symbol.dispose]: () => delays.disable() };
}
