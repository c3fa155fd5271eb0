import type { LogRecord } from "../../src/email/event-log/event-log.ts";
import { RecordFlow } from "../../src/email/event-log/flow/record-flow.ts";
import { handleEach } from "./handle-each.ts";
import type { SeededRandom } from "./seeded-random.ts";

/** A record of which only some fields matter. */
export function bareRecord(fields: Partial<LogRecord>): LogRecord {
  return {
    topic: "topic",
    partition: 0,
    offset: 0,
    key: null,
    value: null,
    headers: [],
    timestamp: 0,
    timestampType: "CreateTime",
    ...fields,
  };
}

interface FlowBounds {
  readonly unfinishedMax: number;
  readonly offsetsBeyondLowWatermarkMax: number;
}

interface Partition {
  readonly records: readonly LogRecord[];
  /** Where the next assignment starts; what was committed, by us or by another member. */
  committed: number;
  /** Present while it is assigned to the flow. */
  owned:
    | { next: number; newest: number; position: number; readonly unfinished: Set<number> }
    | undefined;
}

/**
 * A log, a group and a flow under test, moved one random step at a time. A simple model beside the
 * flow knows what must be true, and every step that finds something else throws.
 */
export class FlowWorld {
  readonly flow: RecordFlow;
  readonly #bounds: FlowBounds;
  readonly #random: SeededRandom;
  readonly #partitions: readonly Partition[];
  readonly #running = new Map<string, { record: LogRecord; finish: () => void }>();
  readonly #runningKeys = new Set<string>();
  readonly #newestStart = new Map<string, number>();
  readonly #finished = new Set<string>();
  #paused = false;

  constructor(random: SeededRandom, bounds: FlowBounds) {
    this.#random = random;
    this.#bounds = bounds;
    this.#partitions = Array.from({ length: 3 }, (_, partition) => ({
      records: randomRecords(random, partition),
      committed: 0,
      owned: undefined,
    }));
    this.flow = new RecordFlow({
      ...bounds,
      handle: handleEach((record) => this.#handle(record)),
      onAdvance: () => {},
      onCapacity: () => {},
    });
  }

  async step(): Promise<void> {
    const dice = this.#random.below(100);
    if (dice < 40) this.#offer();
    else if (dice < 45) this.#advance();
    else if (dice < 80) this.#finishOne();
    else if (dice < 88) this.#commit();
    else if (dice < 92) this.#assign();
    else if (dice < 95) this.#revoke();
    else if (dice < 97) this.#pause();
    else this.#resume();
    await settle();
    this.#check();
  }

  /** Lets everything run to its end and checks that nothing was lost. */
  async finish(): Promise<void> {
    this.#resume();
    for (let round = 0; ; round += 1) {
      assert(round < 1_000, "the flow does not get to its end");
      for (const [index, partition] of this.#partitions.entries()) {
        if (partition.owned === undefined) this.#assignOne(index);
      }
      for (let offer = 0; offer < 50; offer += 1) this.#offer();
      await settle();
      while (this.#running.size > 0) {
        this.#finishOne();
        await settle();
        this.#check();
      }
      this.#commit();
      if (this.#partitions.every(isDone) && this.flow.stats.unfinished === 0) break;
    }
    for (const { records } of this.#partitions) {
      for (const record of records) assert(this.#finished.has(name(record)), "a record was lost");
    }
  }

  #handle(record: LogRecord): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    assert(!this.#paused, "a handler started while paused");
    assert(!this.#running.has(name(record)), "a record runs twice at once");
    assert(this.#partitions[record.partition]?.owned, "a dropped record started");
    if (record.key !== null) {
      const key = String(record.key);
      assert(!this.#runningKeys.has(key), "two records of a key run at once");
      this.#runningKeys.add(key);
      const first = !this.#finished.has(name(record));
      const newest = this.#newestStart.get(key) ?? -1;
      assert(!first || record.offset > newest, "a key's records started out of order");
      this.#newestStart.set(key, Math.max(newest, record.offset));
    }
    this.#running.set(name(record), { record, finish: resolve });
    return promise;
  }

  #offer(): void {
    const partition = this.#random.pick(this.#partitions);
    const { owned } = partition ?? {};
    if (partition === undefined || owned === undefined) return;
    const again = owned.newest >= 0 && this.#random.chance(0.05); // fetched twice
    const record = partition.records[again ? owned.next - 1 : owned.next];
    if (record === undefined) return;
    const oldest = Math.min(...owned.unfinished);
    const beyond = Number.isFinite(oldest) ? record.offset - oldest : 0;
    const before = this.flow.stats.unfinished;
    const taken = this.flow.offer(record);
    if (!taken) {
      const isFull = before >= this.#bounds.unfinishedMax;
      assert(
        isFull || beyond >= this.#bounds.offsetsBeyondLowWatermarkMax,
        "refused for no reason",
      );
      assert(!this.flow.isFetchable(record.partition), "refused but fetchable");
      return;
    }
    if (record.offset <= owned.newest) return;
    assert(
      beyond < this.#bounds.offsetsBeyondLowWatermarkMax,
      "taken too far beyond the low watermark",
    );
    owned.next += 1;
    owned.newest = record.offset;
    owned.position = record.offset + 1;
    owned.unfinished.add(record.offset);
  }

  /** A fetch ends behind markers or a gap: all up to some offset before the next record was read. */
  #advance(): void {
    const index = this.#random.below(this.#partitions.length);
    const { owned, records } = this.#partitions[index] ?? {};
    if (owned === undefined || records === undefined) return;
    const end = records[owned.next]?.offset ?? (records.at(-1)?.offset ?? 0) + 10;
    owned.position = Math.max(owned.position, end - this.#random.below(3));
    this.flow.advance(index, owned.position);
  }

  #finishOne(): void {
    const run = this.#random.pick([...this.#running.values()]);
    if (run === undefined) return;
    const { record } = run;
    this.#running.delete(name(record));
    this.#finished.add(name(record));
    if (record.key !== null) this.#runningKeys.delete(String(record.key));
    this.#partitions[record.partition]?.owned?.unfinished.delete(record.offset);
    run.finish();
  }

  #commit(): void {
    const offsets = this.flow.uncommitted();
    this.flow.markCommitted(offsets);
    assert(this.flow.uncommitted().length === 0, "committed offsets are uncommitted");
    for (const { partition, offset } of offsets) {
      const owned = this.#partitions[partition];
      if (owned !== undefined) owned.committed = offset;
    }
  }

  #assign(): void {
    this.#assignOne(this.#random.below(this.#partitions.length));
  }

  #assignOne(index: number): void {
    const partition = this.#partitions[index];
    if (partition === undefined) return;
    if (partition.owned === undefined && this.#random.chance(0.3)) this.#workElsewhere(partition);
    this.flow.assign([index]);
    const next = partition.records.findIndex(({ offset }) => offset >= partition.committed);
    this.flow.begin(index, partition.committed);
    partition.owned = {
      next: next < 0 ? partition.records.length : next,
      newest: -1,
      position: partition.committed,
      unfinished: new Set(),
    };
  }

  #revoke(): void {
    const index = this.#random.below(this.#partitions.length);
    const partition = this.#partitions[index];
    if (partition === undefined) return;
    this.flow.revoke([index]);
    partition.owned = undefined;
  }

  /** Another member had the partition meanwhile and finished some of it. */
  #workElsewhere(partition: Partition): void {
    for (let count = this.#random.below(4); count > 0; count -= 1) {
      const record = partition.records.find(({ offset }) => offset >= partition.committed);
      if (record === undefined) return;
      this.#finished.add(name(record));
      partition.committed = record.offset + 1;
    }
  }

  #pause(): void {
    this.#paused = true;
    this.flow.pause();
  }

  #resume(): void {
    this.#paused = false;
    this.flow.resume();
  }

  #check(): void {
    assert(this.flow.stats.unfinished <= this.#bounds.unfinishedMax, "too many unfinished records");
    assert(this.flow.stats.inFlight === this.#running.size, "inFlight is wrong");
    const uncommitted = new Map(this.flow.uncommitted().map((at) => [at.partition, at.offset]));
    for (const [index, { owned }] of this.#partitions.entries()) {
      const offset = uncommitted.get(index);
      assert(owned !== undefined || offset === undefined, "a revoked partition is committable");
      if (owned === undefined || offset === undefined) continue;
      const lowWatermark =
        owned.unfinished.size > 0 ? Math.min(...owned.unfinished) : owned.position;
      assert(
        offset === lowWatermark,
        `the low watermark is ${offset} and should be ${lowWatermark}`,
      );
    }
  }
}

function randomRecords(random: SeededRandom, partition: number): LogRecord[] {
  let offset = random.below(5);
  return Array.from({ length: 20 + random.below(40) }, () => {
    offset += random.chance(0.2) ? 1 + random.below(6) : 1;
    const key = random.chance(0.2) ? null : Buffer.from(`key ${partition} ${random.below(6)}`);
    return bareRecord({ partition, offset, key });
  });
}

function isDone({ records, committed }: Partition): boolean {
  return committed > (records.at(-1)?.offset ?? -1);
}

function name({ partition, offset }: LogRecord): string {
  return `${partition}:${offset}`;
}

function assert(fact: unknown, otherwise: string): asserts fact {
  if (!fact) throw new Error(otherwise);
}

function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
