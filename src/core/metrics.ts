import { Counter, Gauge, Histogram, Registry } from "prom-client";

export interface MetricWords {
  /** Prometheus naming: base units, `_total` for counters. */
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly string[];
}

export interface HistogramWords extends MetricWords {
  /** Upper bounds, rising; seconds for a duration. */
  readonly buckets: readonly number[];
}

/** A row of the list of metrics in the documentation. */
export interface MetricRow extends Required<MetricWords> {
  readonly kind: "counter" | "gauge" | "histogram";
}

type Labels = Readonly<Record<string, string>>;
type Read = (set: (value: number, labels?: Labels) => void) => void | Promise<void>;

/** Numbers that Prometheus asks for. Labels are of bounded kinds: never an id, an address, a text. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #rows: MetricRow[] = [];

  /** `zeros`: shown as 0 from the beginning, so that the first one is seen as a rise. */
  counter(words: MetricWords, zeros: readonly Labels[] = []): { add(labels?: Labels): void } {
    const counter = new Counter(this.#register("counter", words));
    for (const values of zeros) counter.inc(values, 0);
    return { add: (values = {}) => counter.inc(values) };
  }

  histogram(words: HistogramWords): { observe(value: number, labels?: Labels): void } {
    const settings = this.#register("histogram", words);
    const histogram = new Histogram({ ...settings, buckets: [...words.buckets] });
    return { observe: (value, values = {}) => histogram.observe(values, value) };
  }

  /** `read` is called when Prometheus asks; what it does not set is left out. */
  gauge(words: MetricWords, read: Read): void {
    const isBare = words.labels === undefined;
    new Gauge({
      ...this.#register("gauge", words),
      async collect() {
        this.reset();
        if (isBare) this.remove(); // reset makes a gauge without labels 0; unset is no value
        await read((value, values = {}) => this.set(values, value));
      },
    });
  }

  /** As `gauge`, for a sum that somebody else keeps. */
  countElsewhere(words: MetricWords, read: () => number): void {
    new Counter({
      ...this.#register("counter", words),
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

  #register(kind: MetricRow["kind"], { name, help, labels = [] }: MetricWords) {
    this.#rows.push({ kind, name, help, labels });
    return { name, help, labelNames: [...labels], registers: [this.#registry] };
  }
}
