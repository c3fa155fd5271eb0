import { maskEmail } from "../../core/log.ts";
import type { Clock } from "../../core/time.ts";
import type { DeliveryOutcome } from "../delivery/outcome.ts";
import type { EmailEvent } from "../event.ts";
import { boundedText } from "../ledger/record.ts";

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

export const outcomeSeries = ["accepted", "skipped", "retried", "dead_letter"] as const;
export type OutcomeSeries = (typeof outcomeSeries)[number];

/** What became of the mails of one minute; `at` is its beginning, Unix ms. */
export type MinuteCount = { readonly at: number } & Record<OutcomeSeries, number>;

export interface Failure {
  readonly at: number;
  /** "rejected", or "deferred", "server_down" for a mail that is not given up. */
  readonly class: string;
  readonly messageId: string | undefined;
  /** Masked. */
  readonly recipient: string | undefined;
  /** The server's own words, or ours; bounded. */
  readonly reason: string;
  /** How often it came in a row. */
  readonly times: number;
}

const minutesMax = 60;
const failuresMax = 20;

/**
 * What this process made of its mails lately, in memory: counts of the last 60 minutes, how long
 * mails took from the event to the server's answer, and the last 20 failures. Costs a mail an
 * addition; a process that starts anew begins with nothing.
 */
export class OutcomeHistory {
  readonly #clock: Pick<Clock, "now">;
  readonly #minutes: MinuteCount[] = [];
  readonly #failures: Failure[] = [];
  readonly #times: AcceptanceTimes;

  constructor(clock: Pick<Clock, "now">) {
    this.#clock = clock;
    this.#times = new AcceptanceTimes(clock);
  }

  observe(outcome: DeliveryOutcome, event?: EmailEvent): void {
    const series = seriesOf(outcome);
    if (series !== undefined) this.#minute()[series] += 1;
    if (outcome.kind === "accepted" && event !== undefined) {
      this.#times.add(this.#clock.now() - event.timestamp);
    }
    const failure = failureOf(outcome);
    if (failure !== undefined) this.#fail(failure, event);
  }

  /** A dead letter was acknowledged; its failure was noted before. */
  observeDeadLetter(): void {
    this.#minute().dead_letter += 1;
  }

  /** The last 60 minutes, oldest first, the running one last. */
  minutes(): readonly MinuteCount[] {
    const now = minuteOf(this.#clock.now());
    const known = new Map(this.#minutes.map((minute) => [minute.at, minute]));
    return Array.from({ length: minutesMax }, (_, index) => {
      const at = now - (minutesMax - 1 - index) * 60_000;
      return known.get(at) ?? emptyMinute(at);
    });
  }

  acceptance() {
    return this.#times.summary();
  }

  /** Newest first. */
  failures(): readonly Failure[] {
    return this.#failures;
  }

  #minute(): MinuteCount {
    const at = minuteOf(this.#clock.now());
    const newest = this.#minutes.at(-1);
    if (newest?.at === at) return newest;
    const minute = emptyMinute(at);
    this.#minutes.push(minute);
    if (this.#minutes.length > minutesMax) this.#minutes.shift();
    return minute;
  }

  #fail({ class: name, reason }: { class: string; reason: string }, event?: EmailEvent): void {
    const at = this.#clock.now();
    const bounded = boundedText(reason);
    const [newest] = this.#failures;
    // A server that is down fails every mail that is under way in the same words.
    if (newest !== undefined && newest.class === name && newest.reason === bounded) {
      const times = newest.times + 1;
      this.#failures[0] = { ...failure(at, name, bounded, event), times };
      return;
    }
    this.#failures.unshift(failure(at, name, bounded, event));
    if (this.#failures.length > failuresMax) this.#failures.pop();
  }
}

function failure(at: number, name: string, reason: string, event?: EmailEvent): Failure {
  const recipient = event && maskEmail(event.recipient);
  return { at, class: name, messageId: event?.messageId, recipient, reason, times: 1 };
}

function seriesOf(outcome: DeliveryOutcome): OutcomeSeries | undefined {
  switch (outcome.kind) {
    case "accepted":
      return "accepted";
    case "duplicate":
    case "expired":
    case "suppressed":
    case "buried_before":
      return "skipped";
    case "retry":
    case "server_down":
    case "unconfirmed":
      return "retried";
    default:
      return undefined; // waiting for another owner, the ledger, or for its dead letter
  }
}

function failureOf(outcome: DeliveryOutcome): { class: string; reason: string } | undefined {
  if (outcome.kind === "dead_letter") return outcome.deadLetter;
  if (outcome.kind === "server_down") return { class: "server_down", reason: outcome.down.reason };
  if (outcome.kind !== "retry" || outcome.reason === undefined) return undefined;
  return { class: outcome.cause, reason: outcome.reason };
}

function emptyMinute(at: number): MinuteCount {
  return { at, accepted: 0, skipped: 0, retried: 0, dead_letter: 0 };
}

function minuteOf(at: number): number {
  return Math.floor(at / 60_000) * 60_000;
}
