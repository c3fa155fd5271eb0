import { errorMessage } from "../../../core/errors.ts";
import type { SqliteDatabase } from "../../../core/sqlite/database.ts";
import { withDeadline } from "../../../core/time.ts";
import type { SubscribeOptions, Subscription } from "../event-log.ts";
import { createSubscription, RecordFlow } from "../flow/record-flow.ts";
import type { GroupMemberOptions } from "./group-member.ts";
import { SqliteGroupMember } from "./group-member.ts";
import type { StoredTopic } from "./records.ts";
import { isLocked, readPage, toEventLogError } from "./records.ts";

/** `mayHaveNews`: something was written since the last call, here or by another process. */
type WakeupListener = (mayHaveNews: boolean) => void;

/**
 * Notifies listeners of writes to the file: of this process at once, of others within `pollMs`
 * (`PRAGMA data_version`, some microseconds a poll). Calls them on every poll, so that they need no
 * timers. Without listeners no timer runs.
 */
export class SqliteWakeups {
  readonly #database: SqliteDatabase;
  readonly #pollMs: number;
  readonly #listeners = new Set<WakeupListener>();
  #timer: ReturnType<typeof setInterval> | undefined;
  #version = -1;
  #isNotifying = false;

  constructor(database: SqliteDatabase, options: { readonly pollMs: number }) {
    this.#database = database;
    this.#pollMs = options.pollMs;
  }

  listen(listener: WakeupListener): Disposable {
    this.#listeners.add(listener);
    this.#timer ??= setInterval(() => this.#poll(), this.#pollMs);
    return { [Symbol.dispose]: () => this.#remove(listener) };
  }

  /**
   * To be called after a write of this process. Calls in one turn of the event loop count as one.
   */
  notify(): void {
    if (this.#isNotifying) return;
    this.#isNotifying = true;
    setImmediate(() => {
      this.#isNotifying = false;
      this.#notify(true);
    });
  }

  #poll(): void {
    const version = this.#readVersion();
    const isNew = version !== this.#version;
    this.#version = version;
    this.#notify(isNew);
  }

  /** Changes when another connection has committed; the last known one while the file is locked. */
  #readVersion(): number {
    try {
      const row = this.#database.read((file) =>
        file.query<{ data_version: number }, []>("PRAGMA data_version").get(),
      );
      return row?.data_version ?? this.#version;
    } catch (error) {
      if (isLocked(error)) return this.#version;
      throw error;
    }
  }

  #notify(mayHaveNews: boolean): void {
    for (const listener of [...this.#listeners]) listener(mayHaveNews);
  }

  #remove(listener: WakeupListener): void {
    this.#listeners.delete(listener);
    if (this.#listeners.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

const commitDelayMs = 50;
const leaveDeadlineMs = 3_000;

interface SqliteSubscriptionOptions
  extends SubscribeOptions,
    Pick<GroupMemberOptions, "database" | "timings" | "clock" | "log"> {
  readonly wakeups: SqliteWakeups;
}

/** A subscription: passes pages of records to the flow, and commits the flow's low watermarks. */
export function openSqliteSubscription(options: SqliteSubscriptionOptions): Subscription {
  const member = new FlowingMember(options);
  return createSubscription(member.flow, {
    problem: () => member.problem,
    stop: (drainMs) => member.stop(drainMs),
  });
}

/**
 * A group member whose records go through a flow. Reads at most 200 records of a partition in one
 * turn of the event loop; commits within 50 ms, or when it releases a partition or stops.
 */
class FlowingMember {
  readonly flow: RecordFlow;
  readonly #options: SqliteSubscriptionOptions;
  readonly #member: SqliteGroupMember;
  readonly #listening: Disposable;
  /** The next offset to read of each partition it owns. */
  readonly #next = new Map<number, number>();
  #topic: StoredTopic | undefined;
  #isReading = false;
  #isStopping = false;
  #commitTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: SqliteSubscriptionOptions) {
    this.#options = options;
    this.flow = new RecordFlow({
      ...options,
      onAdvance: () => this.#scheduleCommit(),
      onCapacity: () => this.#readSoon(),
    });
    this.#member = new SqliteGroupMember({
      ...options,
      member: { topic: options.topic, group: options.group, token: crypto.randomUUID() },
      onGained: (topic, owned) => {
        this.#topic = topic;
        for (const { partition, start } of owned) this.#next.set(partition, start);
        this.flow.assign(owned.map(({ partition }) => partition));
        this.#readSoon();
      },
      onLost: (partitions) => this.flow.revoke(partitions),
      uncommitted: () => this.flow.uncommitted(),
      markCommitted: (offsets) => this.flow.markCommitted(offsets),
      onFailure: (error) => this.flow.fail(error),
    });
    this.#listening = options.wakeups.listen((mayHaveNews) => this.#onWakeup(mayHaveNews));
    this.#onWakeup(true);
  }

  get problem(): string | undefined {
    return this.#topic === undefined ? "The topic does not exist yet" : undefined;
  }

  async stop(drainMs: number): Promise<void> {
    this.#isStopping = true;
    this.#member.prepareLeave();
    await this.flow.drain(drainMs);
    this.#listening[Symbol.dispose]();
    clearTimeout(this.#commitTimer);
    const leaving = this.#member.commit().then(() => this.#member.leave());
    await withDeadline("leaving the group", leaveDeadlineMs, leaving).catch((error) => {
      // Others take over once its session has expired; uncommitted records are delivered again.
      const { log, group } = this.#options;
      log.warn({ group, error: errorMessage(error) }, "Could not leave the group");
    });
  }

  #onWakeup(mayHaveNews: boolean): void {
    this.#untilLocked(() => {
      const isRenewing = this.#member.onWakeup(mayHaveNews);
      if (mayHaveNews || isRenewing) this.#readSoon();
    });
  }

  #readSoon(): void {
    if (this.#isReading) return;
    this.#isReading = true;
    setImmediate(() => {
      this.#isReading = false;
      this.#untilLocked(() => {
        if (this.#readPages()) this.#readSoon();
      });
    });
  }

  /** One page of each partition; returns whether there is more to read. */
  #readPages(): boolean {
    const topic = this.#topic;
    if (topic === undefined) return false;
    let hasMore = false;
    for (const partition of this.flow.partitions) {
      if (!this.flow.isFetchable(partition)) continue;
      const from = this.#next.get(partition) ?? 0;
      const records = this.#options.database.read((file) =>
        readPage(file, topic, { partition, from, to: Number.MAX_SAFE_INTEGER }),
      );
      let next = from;
      for (const record of records) {
        if (!this.flow.offer(record)) break;
        next = record.offset + 1;
      }
      this.#next.set(partition, next);
      const last = records.at(-1);
      hasMore ||= last !== undefined && last.offset < next;
    }
    return hasMore;
  }

  /** Reads what it can; a locked file is read again on the next wakeup. */
  #untilLocked(read: () => void): void {
    try {
      read();
    } catch (error) {
      if (!isLocked(error)) this.flow.fail(toEventLogError(error));
    }
  }

  #scheduleCommit(): void {
    this.#commitTimer ??= setTimeout(() => {
      this.#commitTimer = undefined;
      void this.#commit();
    }, commitDelayMs);
  }

  async #commit(): Promise<void> {
    await this.#member.commit();
    if (!this.#isStopping && this.flow.uncommitted().length > 0) this.#scheduleCommit();
  }
}
