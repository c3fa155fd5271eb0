/** Items of one key: at most one runs, the others wait in order of arrival. */
export interface Lane<T> {
  readonly key: string | number;
  running: T | undefined;
  readonly waiting: T[];
  /** The running item is deferred. */
  deferred: boolean;
}

/**
 * One lane per key; an item without a key has its own lane. A lane exists while it has items. Which
 * item runs is decided here; starting it is up to the caller, who gets it back and calls `release`
 * once it has ended.
 *
 * Open: an item runs as soon as its lane is free. Shut: nothing starts, running items continue.
 * Deferred lanes, including the items that wait behind a deferred one, are counted separately.
 */
export class Lanes<T extends { readonly bytes: number }> {
  readonly #lanes = new Map<string | number, Lane<T>>();
  #keyless = 0;
  #open = true;
  #running = 0;
  #waiting = 0;
  #bytes = 0;
  #deferred = 0;
  #deferredBytes = 0;

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#waiting;
  }

  /** The bytes of all items. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Items of deferred lanes, and their bytes. */
  get deferred(): { readonly items: number; readonly bytes: number } {
    return { items: this.#deferred, bytes: this.#deferredBytes };
  }

  /** Returns the lane if the item is to start now. */
  push(key: string | null, item: T): Lane<T> | undefined {
    const laneKey = key ?? this.#keyless++;
    let lane = this.#lanes.get(laneKey);
    if (lane === undefined) {
      lane = { key: laneKey, running: undefined, waiting: [], deferred: false };
      this.#lanes.set(laneKey, lane);
    }
    lane.waiting.push(item);
    this.#waiting += 1;
    this.#bytes += item.bytes;
    if (lane.deferred) this.#countDeferred([item], 1);
    return this.#next(lane) === undefined ? undefined : lane;
  }

  /** The running item of `lane` has ended. Returns the one to start next. */
  release(lane: Lane<T>): T | undefined {
    this.#bytes -= lane.running?.bytes ?? 0;
    lane.running = undefined;
    this.#running -= 1;
    return this.#next(lane);
  }

  setDeferred(lane: Lane<T>, deferred: boolean): void {
    if (lane.deferred === deferred) return;
    lane.deferred = deferred;
    const items = lane.running === undefined ? lane.waiting : [lane.running, ...lane.waiting];
    this.#countDeferred(items, deferred ? 1 : -1);
  }

  /** Yields the items to start, the first of each free lane, oldest lane first. */
  *open(): Iterable<{ readonly item: T; readonly lane: Lane<T> }> {
    this.#open = true;
    for (const lane of this.#lanes.values()) {
      const item = this.#next(lane);
      if (item !== undefined) yield { item, lane };
    }
  }

  close(): void {
    this.#open = false;
  }

  /** Drops waiting items; running ones stay. */
  dropWaiting(isDropped: (item: T) => boolean): void {
    for (const lane of this.#lanes.values()) {
      const dropped = lane.waiting.filter(isDropped);
      if (dropped.length === 0) continue;
      const kept = lane.waiting.filter((item) => !isDropped(item));
      lane.waiting.splice(0, lane.waiting.length, ...kept);
      this.#waiting -= dropped.length;
      for (const { bytes } of dropped) this.#bytes -= bytes;
      if (lane.deferred) this.#countDeferred(dropped, -1);
      this.#forgetIfEmpty(lane);
    }
  }

  /** Running and waiting items, lane by lane. */
  *items(): Iterable<{ readonly item: T; readonly lane: Lane<T> }> {
    for (const lane of this.#lanes.values()) {
      if (lane.running !== undefined) yield { item: lane.running, lane };
      for (const item of lane.waiting) yield { item, lane };
    }
  }

  #next(lane: Lane<T>): T | undefined {
    this.#forgetIfEmpty(lane);
    if (!this.#open || lane.running !== undefined) return undefined;
    const item = lane.waiting.shift();
    if (item === undefined) return undefined;
    lane.running = item;
    this.#waiting -= 1;
    this.#running += 1;
    return item;
  }

  #forgetIfEmpty(lane: Lane<T>): void {
    if (lane.running === undefined && lane.waiting.length === 0) this.#lanes.delete(lane.key);
  }

  #countDeferred(items: readonly T[], sign: 1 | -1): void {
    this.#deferred += sign * items.length;
    for (const item of items) this.#deferredBytes += sign * item.bytes;
  }
}

/** Bytes as a string of the same length: cheap to make, and equal only for equal bytes. */
export function laneKey(key: Uint8Array | null): string | null {
  if (key === null) return null;
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("latin1");
}

/** At most `size` jobs at a time; the others wait in the order they came. */
export class Semaphore {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(size: number) {
    this.#free = size;
  }

  /** Resolves with a slot once one is free; disposing of it passes it on. */
  async acquire(): Promise<Disposable> {
    if (this.takeFree(1) === 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return { [Symbol.dispose]: () => this.release() };
  }

  /** Takes up to `count` slots that are free now; returns how many. */
  takeFree(count: number): number {
    const taken = Math.min(count, this.#free);
    this.#free -= taken;
    return taken;
  }

  /** Gives one slot back. */
  release(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free += 1;
    else next();
  }

  async use<T>(job: () => Promise<T>): Promise<T> {
    using _slot = await this.acquire();
    return await job();
  }
}
