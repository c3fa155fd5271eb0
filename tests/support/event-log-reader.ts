import type {
  EventLog,
  LogRecord,
  SubscribeOptions,
  Subscription,
} from "../../src/email/event-log/event-log.ts";
import { eventually } from "../../support/eventually.ts";
import { textOf } from "./event-log-records.ts";

export interface ReaderOptions extends Omit<SubscribeOptions, "handle"> {
  /** Records whose text it holds until `release`, or until the abort leaves them unfinished. */
  readonly blocks?: (text: string) => boolean;
}

/** A subscription that writes down what it handles, and holds what the test wants held. */
export class EventLogReader implements AsyncDisposable {
  /** The texts in the order in which their handlers started, and finished. */
  readonly started: string[] = [];
  readonly finished: string[] = [];
  readonly records: LogRecord[] = [];
  readonly #blocked = new Map<string, () => void>();
  readonly #options: ReaderOptions;
  #subscription: Subscription | undefined;
  #blocksAll = true;

  static async open(log: EventLog, options: ReaderOptions): Promise<EventLogReader> {
    const reader = new EventLogReader(options);
    reader.#subscription = await log.subscribe({
      ...options,
      handle: (record, signal) => reader.#handle(record, signal),
    });
    return reader;
  }

  private constructor(options: ReaderOptions) {
    this.#options = options;
  }

  get subscription(): Subscription {
    if (this.#subscription === undefined) throw new Error("not subscribed yet");
    return this.#subscription;
  }

  get blocked(): readonly string[] {
    return [...this.#blocked.keys()];
  }

  /** Finishes a held record. */
  release(text: string): void {
    this.#blocked.get(text)?.();
  }

  /** Finishes all held records and holds no more. */
  releaseAll(): void {
    this.#blocksAll = false;
    for (const finish of [...this.#blocked.values()]) finish();
  }

  async untilFinished(count: number, withinMs = 30_000): Promise<readonly string[]> {
    return await eventually(
      `${count} records are finished (now ${this.finished.length})`,
      () => this.finished.length >= count && this.finished,
      withinMs,
    );
  }

  async untilStarted(count: number, withinMs = 30_000): Promise<readonly string[]> {
    return await eventually(
      `${count} records are started (now ${this.started.length})`,
      () => this.started.length >= count && this.started,
      withinMs,
    );
  }

  async untilPartitions(count: number, withinMs: number): Promise<void> {
    await eventually(
      `the member has ${count} partitions`,
      () => this.subscription.stats.partitions.length === count,
      withinMs,
    );
  }

  async stop(drainMs = 0): Promise<void> {
    await this.#subscription?.stop({ drainMs });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #handle(record: LogRecord, signal: AbortSignal): Promise<void> {
    const text = textOf(record);
    this.started.push(text);
    this.records.push(record);
    if (this.#blocksAll && this.#options.blocks?.(text)) await this.#block(text, signal);
    this.finished.push(text);
  }

  async #block(text: string, signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const leave = () => reject(signal.reason);
    if (signal.aborted) leave();
    signal.addEventListener("abort", leave, { once: true });
    this.#blocked.set(text, resolve);
    try {
      await promise;
    } finally {
      this.#blocked.delete(text);
    }
  }
}
