import type { Clock } from "../../core/clock.ts";
import { maskEmail } from "../../core/log.ts";
import type { EmailEvent } from "../event.ts";
import { boundedText } from "../ledger/bounded-text.ts";
import type { DeliveryOutcome } from "../outcome.ts";
import { AcceptanceTimes } from "./acceptance-times.ts";

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

  note(outcome: DeliveryOutcome, event?: EmailEvent): void {
    const series = seriesOf(outcome);
    if (series !== undefined) this.#minute()[series] += 1;
    if (outcome.kind === "accepted" && event !== undefined) {
      this.#times.add(this.#clock.now() - event.timestamp);
    }
    const failure = failureOf(outcome);
    if (failure !== undefined) this.#fail(failure, event);
  }

  /** A dead letter was acknowledged; its failure was noted before. */
  noteBuried(): void {
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
  if (outcome.kind === "dead_letter") return outcome.letter;
  if (outcome.kind === "server_down") return { class: "server_down", reason: outcome.down.reason };
  if (outcome.kind !== "retry" || outcome.reason === undefined) return undefined;
  return { class: outcome.why, reason: outcome.reason };
}

function emptyMinute(at: number): MinuteCount {
  return { at, accepted: 0, skipped: 0, retried: 0, dead_letter: 0 };
}

function minuteOf(at: number): number {
  return Math.floor(at / 60_000) * 60_000;
}
