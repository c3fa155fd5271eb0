import { Counter, Gauge, Registry } from "prom-client";

interface Words {
  /** Prometheus naming: base units, `_total` for counters. */
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly string[];
}

type Labels = Readonly<Record<string, string>>;

/** Numbers that Prometheus asks for. Labels are of bounded kinds: never an id, an address, a text. */
export class Metrics {
  readonly #registry = new Registry();

  counter({ name, help, labels = [] }: Words): { add(labels?: Labels): void } {
    const counter = new Counter({
      name,
      help,
      labelNames: [...labels],
      registers: [this.#registry],
    });
    return { add: (values = {}) => counter.inc(values) };
  }

  /** `read` is called when Prometheus asks; it sets what there is to say now. */
  gauge(
    { name, help, labels = [] }: Words,
    read: (set: (value: number, labels?: Labels) => void) => void | Promise<void>,
  ): void {
    new Gauge({
      name,
      help,
      labelNames: [...labels],
      registers: [this.#registry],
      async collect() {
        this.reset();
        await read((value, values = {}) => this.set(values, value));
      },
    });
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** The text of the Prometheus exposition format. */
  render(): Promise<string> {
    return this.#registry.metrics();
  }
}
