// Live figures of the operators' pages: the feed, and the history behind it.
import { maskEmail } from "../../core/log.ts";
import type { Service } from "../../core/service.ts";
import type { Clock } from "../../core/time.ts";
import type { DeliveryOutcome } from "../delivery/outcome.ts";
import type { EmailEvent } from "../event.ts";
import { boundedText } from "../ledger/record.ts";

/** Parts of a page by the id of their element, as HTML. */
export type Sections = Readonly<Record<string, string>>;

interface LiveFeedOptions {
  /** Renders the current page; called once for all watchers, and never without any. */
  readonly render: () => Promise<Sections>;
  readonly everyMs: number;
}

type Watcher = ReadableStreamDefaultController<Uint8Array>;

export const watchersMax = 20;
const silentTicksMax = 10;
/** A browser that does not read is disconnected; it reconnects by itself. */
const unreadChunksMax = 30;

/**
 * Server-sent events for the pages. Idle: no watchers, nothing is computed. Watched: every `everyMs`
 * the sections are rendered, and those that changed are encoded once and written to all watchers (20
 * at most); after 10 rounds without a change a comment keeps the connections open. Stopped: all
 * connections are closed.
 */
export class LiveFeed implements Service {
  readonly name = "live pages";
  readonly #options: LiveFeedOptions;
  readonly #watchers = new Set<Watcher>();
  #sent: Sections = {};
  #timer: ReturnType<typeof setInterval> | undefined;
  #ticking = false;
  #silentTicks = 0;
  #stopped = false;

  constructor(options: LiveFeedOptions) {
    this.#options = options;
  }

  get watchers(): number {
    return this.#watchers.size;
  }

  /** Undefined if there are too many watchers, or the service is stopping. */
  watch(): Response | undefined {
    if (this.#stopped || this.#watchers.size >= watchersMax) return undefined;
    let watcher: Watcher | undefined;
    const body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          watcher = controller;
          this.#watchers.add(controller);
          controller.enqueue(encode(this.#timer === undefined ? {} : this.#sent));
          this.#timer ??= setInterval(() => void this.#tick(), this.#options.everyMs);
        },
        cancel: () => {
          if (watcher !== undefined) this.#leave(watcher);
        },
      },
      new CountQueuingStrategy({ highWaterMark: unreadChunksMax }),
    );
    return new Response(body, {
      headers: {
        "Content-Type": "text/event-stream",
        "Cache-Control": "no-store",
        "X-Accel-Buffering": "no", // else nginx keeps events until it has a few KiB of them
      },
    });
  }

  async start(): Promise<void> {}

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const watcher of [...this.#watchers]) this.#close(watcher);
  }

  async #tick(): Promise<void> {
    if (this.#ticking) return;
    this.#ticking = true;
    try {
      const sections = await this.#options.render();
      const changed = Object.entries(sections).filter(([id, html]) => this.#sent[id] !== html);
      this.#sent = sections;
      this.#silentTicks = changed.length === 0 ? this.#silentTicks + 1 : 0;
      if (changed.length > 0) this.#write(encode(Object.fromEntries(changed)));
      else if (this.#silentTicks % silentTicksMax === 0) this.#write(comment);
    } finally {
      this.#ticking = false;
    }
  }

  #write(chunk: Uint8Array): void {
    for (const watcher of [...this.#watchers]) {
      if ((watcher.desiredSize ?? 0) <= 0) this.#close(watcher);
      else watcher.enqueue(chunk);
    }
  }

  #close(watcher: Watcher): void {
    this.#leave(watcher);
    watcher.close();
  }

  #leave(watcher: Watcher): void {
    this.#watchers.delete(watcher);
    if (this.#watchers.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#sent = {};
  }
}

const encoder = new TextEncoder();
const comment = encoder.encode(":\n\n");

function encode(sections: Sections): Uint8Array {
  return encoder.encode(`data: ${JSON.stringify(sections)}\n\n`);
}

export const outcomeSeries = ["accepted", "skipped", "retried", "dead_letter"] as const;
export type OutcomeSeries = (typeof outcomeSeries)[number];

/** The outcomes of one minute; `at` is its start, Unix ms. */
export type MinuteCount = { readonly at: number } & Record<OutcomeSeries, number>;

export interface Failure {
  readonly at: number;
  /** The class of a dead letter, or "deferred" or "server_down" for a mail that is retried. */
  readonly class: string;
  readonly messageId: string | undefined;
  /** Masked. */
  readonly recipient: string | undefined;
  /** The server's reply or our own text; bounded. */
  readonly reason: string;
  /** How many in a row. */
  readonly times: number;
}

const minutesMax = 60;
const failuresMax = 20;

/**
 * The outcomes of the latest mails of this process, for the dashboard: outcomes per minute of the
 * last hour, times from event to acceptance, the last 20 failures. In memory, so it starts empty;
 * cheap per mail.
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
    if (failure !== undefined) this.#addFailure(failure, event);
  }

  /** Called when a dead letter was acknowledged; `observe` has already counted its failure. */
  observeDeadLetter(): void {
    this.#minute().dead_letter += 1;
  }

  /** The last 60 minutes, oldest first; the last one is not over. */
  minutes(): readonly MinuteCount[] {
    const now = minuteOf(this.#clock.now());
    const known = new Map(this.#minutes.map((minute) => [minute.at, minute]));
    return Array.from({ length: minutesMax }, (_, index) => {
      const at = now - (minutesMax - 1 - index) * 60_000;
      return known.get(at) ?? emptyMinute(at);
    });
  }

  acceptance(): AcceptanceSummary {
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

  #addFailure(failure: Pick<Failure, "class" | "reason">, event?: EmailEvent): void {
    const [newest] = this.#failures;
    const reason = boundedText(failure.reason);
    // A server that is down fails every mail in progress with the same reason.
    const isRepeated = newest?.class === failure.class && newest.reason === reason;
    if (isRepeated) this.#failures.shift();
    this.#failures.unshift({
      at: this.#clock.now(),
      class: failure.class,
      messageId: event?.messageId,
      recipient: event && maskEmail(event.recipient),
      reason,
      times: isRepeated ? newest.times + 1 : 1,
    });
    if (this.#failures.length > failuresMax) this.#failures.pop();
  }
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
      return undefined; // still waits: for another owner, the ledger, or its dead letter
  }
}

function failureOf(outcome: DeliveryOutcome): Pick<Failure, "class" | "reason"> | undefined {
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

export interface AcceptanceSummary {
  readonly count: number;
  /** Milliseconds; undefined while nothing was accepted. */
  readonly p50: number | undefined;
  readonly p95: number | undefined;
  readonly p99: number | undefined;
}

const timesKeptMs = 5 * 60_000;
/** Eight buckets per doubling, so a percentile is at most 9 % too high; the last one begins at 37 h. */
const bucketsPerDoubling = 8;
const buckets = 27 * bucketsPerDoubling;

/** A histogram of the times to acceptance of the last five minutes: 5 × 216 numbers. */
export class AcceptanceTimes {
  readonly #clock: Pick<Clock, "now">;
  readonly #minutes: { readonly at: number; readonly counts: Uint32Array }[] = [];

  constructor(clock: Pick<Clock, "now">) {
    this.#clock = clock;
  }

  add(durationMs: number): void {
    const { counts } = this.#minute();
    const bucket = Math.ceil(Math.log2(Math.max(1, durationMs)) * bucketsPerDoubling);
    const index = Math.min(bucket, buckets - 1);
    counts[index] = (counts[index] ?? 0) + 1;
  }

  summary(): AcceptanceSummary {
    const endedBefore = minuteOf(this.#clock.now()) - timesKeptMs;
    const sums = new Uint32Array(buckets);
    let count = 0;
    for (const { at, counts } of this.#minutes) {
      if (at <= endedBefore) continue;
      for (const [index, found] of counts.entries()) {
        sums[index] = (sums[index] ?? 0) + found;
        count += found;
      }
    }
    const percentile = (share: number) => quantile(sums, count, share);
    return { count, p50: percentile(0.5), p95: percentile(0.95), p99: percentile(0.99) };
  }

  #minute() {
    const at = minuteOf(this.#clock.now());
    const newest = this.#minutes.at(-1);
    if (newest?.at === at) return newest;
    const added = { at, counts: new Uint32Array(buckets) };
    this.#minutes.push(added);
    if (this.#minutes.length * 60_000 > timesKeptMs) this.#minutes.shift();
    return added;
  }
}

/** The upper bound of its bucket. */
function quantile(sums: Uint32Array, count: number, share: number): number | undefined {
  let left = Math.ceil(count * share);
  if (left === 0) return undefined;
  for (const [index, found] of sums.entries()) {
    left -= found;
    if (left <= 0) return 2 ** (index / bucketsPerDoubling);
  }
  return undefined;
}
