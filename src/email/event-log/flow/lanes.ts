/** Items of one key: at most one runs, the others wait in the order they came. */
export interface Lane<T> {
  readonly key: string | number;
  running: T | undefined;
  readonly waiting: T[];
  /** The running item only waits for a time to come. */
  deferred: boolean;
}

/**
 * One lane per key; an item without a key has a lane of its own. A lane exists while it has items.
 *
 * Open: an item starts as soon as its lane is free. Shut: nothing starts, what runs goes on. Opening
 * starts the first item of every free lane, oldest lane first. Deferred lanes, and with them what
 * waits behind their running item, are counted apart.
 */
export class Lanes<T> {
  readonly #start: (item: T, lane: Lane<T>) => void;
  readonly #bytesOf: (item: T) => number;
  readonly #lanes = new Map<string | number, Lane<T>>();
  #keyless = 0;
  #open = true;
  #running = 0;
  #waiting = 0;
  #deferred = 0;
  #deferredBytes = 0;

  /** `start` begins to run an item; whoever runs it calls `release` once it ended. */
  constructor(start: (item: T, lane: Lane<T>) => void, bytesOf: (item: T) => number) {
    this.#start = start;
    this.#bytesOf = bytesOf;
  }

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#waiting;
  }

  /** Items of deferred lanes, and their bytes. */
  get deferred(): { readonly items: number; readonly bytes: number } {
    return { items: this.#deferred, bytes: this.#deferredBytes };
  }

  push(key: string | null, item: T): void {
    const laneKey = key ?? this.#keyless++;
    let lane = this.#lanes.get(laneKey);
    if (lane === undefined) {
      lane = { key: laneKey, running: undefined, waiting: [], deferred: false };
      this.#lanes.set(laneKey, lane);
    }
    lane.waiting.push(item);
    this.#waiting += 1;
    if (lane.deferred) this.#countDeferred([item], 1);
    this.#advance(lane);
  }

  setDeferred(lane: Lane<T>, deferred: boolean): void {
    if (lane.deferred === deferred) return;
    lane.deferred = deferred;
    const items = lane.running === undefined ? lane.waiting : [lane.running, ...lane.waiting];
    this.#countDeferred(items, deferred ? 1 : -1);
  }

  /** The running item of `lane` ended. */
  release(lane: Lane<T>): void {
    lane.running = undefined;
    this.#running -= 1;
    this.#advance(lane);
  }

  open(): void {
    this.#open = true;
    for (const lane of this.#lanes.values()) this.#advance(lane);
  }

  close(): void {
    this.#open = false;
  }

  /** Forgets waiting items; those that run stay. */
  dropWaiting(isDropped: (item: T) => boolean): void {
    for (const lane of this.#lanes.values()) {
      const kept = lane.waiting.filter((item) => !isDropped(item));
      if (lane.deferred) this.#countDeferred(lane.waiting.filter(isDropped), -1);
      this.#waiting -= lane.waiting.length - kept.length;
      lane.waiting.splice(0, lane.waiting.length, ...kept);
      this.#advance(lane);
    }
  }

  *runningItems(): Iterable<T> {
    for (const lane of this.#lanes.values()) if (lane.running !== undefined) yield lane.running;
  }

  /** What runs or waits, lane by lane. */
  *items(): Iterable<{ readonly item: T; readonly deferred: boolean }> {
    for (const { running, waiting, deferred } of this.#lanes.values()) {
      if (running !== undefined) yield { item: running, deferred };
      for (const item of waiting) yield { item, deferred };
    }
  }

  #countDeferred(items: readonly T[], sign: 1 | -1): void {
    this.#deferred += sign * items.length;
    for (const item of items) this.#deferredBytes += sign * this.#bytesOf(item);
  }

  #advance(lane: Lane<T>): void {
    if (lane.running !== undefined) return;
    if (lane.waiting.length === 0) this.#lanes.delete(lane.key);
    if (!this.#open) return;
    const item = lane.waiting.shift();
    if (item === undefined) return;
    lane.running = item;
    this.#waiting -= 1;
    this.#running += 1;
    this.#start(item, lane);
  }
}

/** Bytes as a string of the same length: cheap to make, and equal only for equal bytes. */
export function laneKey(key: Uint8Array | null): string | null {
  if (key === null) return null;
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("latin1");
}
