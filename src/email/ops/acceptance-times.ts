import type { Clock } from "../../core/clock.ts";

export interface AcceptanceSummary {
  readonly count: number;
  /** Milliseconds; undefined while there is nothing to tell of. */
  readonly p50: number | undefined;
  readonly p99: number | undefined;
}

const minutesKept = 5;
/** Eight buckets for each doubling, so a figure is at most 9 % too high; the last begins at 37 h. */
const bucketsPerDoubling = 8;
const buckets = 27 * bucketsPerDoubling;

/** How long mails took, of the last five minutes, as counts per bucket: 5 × 216 numbers. */
export class AcceptanceTimes {
  readonly #clock: Pick<Clock, "now">;
  readonly #minutes: { minute: number; readonly counts: Uint32Array }[] = [];

  constructor(clock: Pick<Clock, "now">) {
    this.#clock = clock;
  }

  add(durationMs: number): void {
    const { counts } = this.#current();
    const bucket = Math.ceil(Math.log2(Math.max(1, durationMs)) * bucketsPerDoubling);
    const index = Math.min(bucket, buckets - 1);
    counts[index] = (counts[index] ?? 0) + 1;
  }

  summary(): AcceptanceSummary {
    const oldest = this.#minute() - minutesKept;
    const sums = new Uint32Array(buckets);
    let count = 0;
    for (const { minute, counts } of this.#minutes) {
      if (minute <= oldest) continue;
      for (const [index, found] of counts.entries()) {
        sums[index] = (sums[index] ?? 0) + found;
        count += found;
      }
    }
    return { count, p50: quantile(sums, count, 0.5), p99: quantile(sums, count, 0.99) };
  }

  #current() {
    const minute = this.#minute();
    const newest = this.#minutes.at(-1);
    if (newest?.minute === minute) return newest;
    const added = { minute, counts: new Uint32Array(buckets) };
    this.#minutes.push(added);
    if (this.#minutes.length > minutesKept) this.#minutes.shift();
    return added;
  }

  #minute(): number {
    return Math.floor(this.#clock.now() / 60_000);
  }
}

/** The upper end of the bucket that holds it. */
function quantile(sums: Uint32Array, count: number, share: number): number | undefined {
  let left = Math.ceil(count * share);
  if (left === 0) return undefined;
  for (const [index, found] of sums.entries()) {
    left -= found;
    if (left <= 0) return 2 ** (index / bucketsPerDoubling);
  }
  return undefined;
}
