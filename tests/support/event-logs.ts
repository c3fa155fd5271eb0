import { silentLog } from "../../src/core/log.ts";
import { openSqlite } from "../../src/core/sqlite/database.ts";
import type {
  EventLog,
  LogRecord,
  OutgoingRecord,
  RecordPosition,
  SubscribeOptions,
  Subscription,
} from "../../src/email/event-log/event-log.ts";
import type { SqliteEventLogOptions } from "../../src/email/event-log/sqlite/sqlite.ts";
import { openSqliteEventLog } from "../../src/email/event-log/sqlite/sqlite.ts";
import { eventually } from "../../support/eventually.ts";
import { openKafkaLogAt } from "../../support/kafka-logs.ts";
import { handleEach } from "./handle-each.ts";

/** Short enough for tests, long enough for a machine with other work. */
const quick = { heartbeatMs: 200, sessionMs: 2_000 };

/** Opens the event log in `path` with a connection of its own, closed with the log. */
export async function openEmbeddedEventLog(
  path: string,
  options: Partial<SqliteEventLogOptions> = {},
): Promise<EventLog> {
  const database = await openSqlite(path);
  const log = await openSqliteEventLog(database, { log: silentLog, timings: quick, ...options });
  const close = async () => {
    await log.close();
    await database.close();
  };
  return { ...log, close, [Symbol.asyncDispose]: close };
}

/**
 * Opens an event log by its address, `sqlite:<file>` or `kafka:<brokers>`, with timings that suit
 * tests; also in a child process, which knows nothing else of it.
 */
export async function openEventLog(address: string): Promise<EventLog> {
  const [technology, place = ""] = splitOnce(address, ":");
  switch (technology) {
    case "kafka":
      return await openKafkaLogAt(place);
    case "sqlite":
      return await openEmbeddedEventLog(place);
    default:
      throw new Error(`no event log opens ${address}`);
  }
}

function splitOnce(text: string, separator: string): [string, string?] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

export function textRecord(key: string | null, text: string): OutgoingRecord {
  return {
    key: key === null ? null : Buffer.from(key),
    value: Buffer.from(text),
    headers: [],
  };
}

/** Publishes `texts` in one call, each under its own key, or all under `key`. */
export function publishTexts(
  log: EventLog,
  topic: string,
  texts: readonly string[],
  key?: string | null,
): Promise<readonly RecordPosition[]> {
  const records = texts.map((text) => textRecord(key === undefined ? text : key, text));
  return log.publish(topic, records, { deadlineMs: 10_000 });
}

export function textOf({ value }: Pick<LogRecord, "value">): string {
  return value === null ? "" : Buffer.from(value).toString();
}

/** `prefix 0`, `prefix 1`, … */
export function numbered(prefix: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `${prefix} ${index}`);
}

export async function readAll(
  log: EventLog,
  topic: string,
  partition = 0,
  from = 0,
  to = Number.MAX_SAFE_INTEGER,
): Promise<readonly LogRecord[]> {
  return Array.fromAsync(log.readRange({ topic, partition, from, to }));
}

interface ReaderOptions extends Omit<SubscribeOptions, "handle"> {
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
      handle: handleEach((record, signal) => reader.#handle(record, signal)),
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
