// From a request to the event log, or to direct delivery while the log is unavailable.
import { isAscii } from "../../core/email-address.ts";
import { errorMessage, isInstantError, unreachable } from "../../core/errors.ts";
import type { Log } from "../../core/log.ts";
import { currentTraceContext, logText } from "../../core/log.ts";
import type { Metrics } from "../../core/metrics.ts";
import type { Clock } from "../../core/time.ts";
import { settlesWithin } from "../../core/time.ts";
import type { EmailEvent } from "../event.ts";
import { encodeEmailEvent, eventKey, traceContextHeaders } from "../event.ts";
import type { EventLog } from "../event-log/event-log.ts";
import type { DeliveryLedger } from "../ledger/delivery-ledger.ts";
import type { Mailer } from "../mailer/mailer.ts";
import { Breaker } from "./breaker.ts";
import type { DeadLetterClass, DeliveryOutcome, DeliveryRun, RetryCause } from "./outcome.ts";
import { createDeliveryRun, lineOf, untilConfirmed } from "./outcome.ts";
import type { Pipeline } from "./pipeline.ts";
import { releaseClaim } from "./settlement.ts";

interface DirectDeps {
  readonly ledger: DeliveryLedger;
  readonly pipeline: Pipeline;
  readonly clock: Clock;
  readonly log: Log;
}

const withinMsDefault = 10_000;
const pollMs = 200;
const retryAfterLossMs = 1000;

/**
 * What a direct delivery came to, or at its deadline, what is known by then:
 * - `delivered`: the SMTP server accepted the mail, whoever owned the claim, or has all of it and has
 *   yet to answer; or it is one that nobody is to get (a suppressed recipient).
 * - `settled`: the server refused this mail, or its answer was lost. Trying again changes nothing.
 * - `not_taken`: the server was asked, and puts this mail off, or refuses everybody's.
 * - `unavailable`: nobody could be asked: no server, no ledger, no time left.
 */
type DirectOutcome = "delivered" | "settled" | "not_taken" | "unavailable";

/**
 * Delivers one event at once, for when the event log is unavailable: the same pipeline, the same
 * ledger, so that an event that reached the log all the same is a duplicate there. It writes no dead
 * letters. A mail whose content is on the wire at the deadline is finished in the background; `drain`
 * waits for it.
 */
export class DirectDelivery {
  readonly #deps: DirectDeps;
  readonly #running = new Set<Promise<DirectOutcome>>();

  constructor(deps: DirectDeps) {
    this.#deps = deps;
  }

  async deliver(event: EmailEvent, withinMs = withinMsDefault): Promise<DirectOutcome> {
    const deadline = new AbortController();
    const progress: Progress = { known: "unavailable" };
    const running = this.#run(event, progress, deadline.signal);
    this.#running.add(running);
    running.finally(() => this.#running.delete(running)).catch(() => {});
    if (await settlesWithin(this.#deps.clock, withinMs, running)) return running;
    deadline.abort(new Error("the direct delivery took too long"));
    return progress.known;
  }

  /** Resolves when nothing is on the wire, or after `drainMs`. */
  async drain(drainMs: number): Promise<void> {
    if (this.#running.size === 0) return;
    await settlesWithin(this.#deps.clock, drainMs, Promise.allSettled(this.#running));
  }

  async #run(event: EmailEvent, progress: Progress, signal: AbortSignal): Promise<DirectOutcome> {
    const run = createRun(event);
    const onContentEnds = () => {
      progress.known = "delivered";
    };
    for (let serverDowns = 0; !signal.aborted; ) {
      const outcome = await this.#deps.pipeline(run, { signal, evenIfDown: true, onContentEnds });
      if (outcome.kind === "server_down" && outcome.down.another !== true) serverDowns += 1;
      const { known, waitMs } = decide(outcome, serverDowns);
      progress.known = known;
      if (outcome.kind === "unconfirmed") await untilConfirmed(outcome, run, signal);
      else if (waitMs !== undefined) await this.#deps.clock.sleep(waitMs, signal);
      else return this.#finish(event, outcome, known);
    }
    await releaseClaim(this.#deps.ledger, run.claim, "direct delivery gave up");
    return progress.known;
  }

  #finish(event: EmailEvent, outcome: DeliveryOutcome, known: DirectOutcome): DirectOutcome {
    if (known !== "delivered") {
      const reason = "deadLetter" in outcome ? outcome.deadLetter.reason : undefined;
      this.#deps.log.warn(
        { ...lineOf(event), outcome: outcome.kind, reason },
        "Direct delivery failed",
      );
    }
    return known;
  }
}

interface Progress {
  known: DirectOutcome;
}

interface Next {
  readonly known: DirectOutcome;
  /** Until the next attempt; undefined: this was the last one. */
  readonly waitMs?: number;
}

/** A server that is down gets one more attempt, since a single connection may just have ended. */
function decide(outcome: DeliveryOutcome, serverDowns: number): Next {
  switch (outcome.kind) {
    case "accepted":
    case "duplicate":
    case "suppressed": // the answer must not show who gets no mail
      return { known: "delivered" };
    case "buried_before":
      return { known: "settled" };
    case "dead_letter":
      return { known: knownByClass[outcome.deadLetter.class] ?? "unavailable" };
    case "expired":
    case "ledger_unavailable":
      return { known: "unavailable" };
    case "leased":
      return { known: "unavailable", waitMs: Math.min(outcome.waitMs, pollMs) };
    case "retry":
      return { known: knownByCause[outcome.cause] ?? "unavailable", waitMs: outcome.waitMs };
    case "unconfirmed": // by the deadline it is a refusal like any other
      return { known: "settled", waitMs: 0 };
    case "server_down": {
      const { another, cause, answer } = outcome.down;
      const wasAsked = cause === "refusing" || answer !== undefined;
      const known = wasAsked ? "not_taken" : "unavailable";
      if (another === true) return { known, waitMs: 0 };
      return serverDowns > 1 ? { known } : { known, waitMs: retryAfterLossMs };
    }
    default:
      return unreachable(outcome);
  }
}

const knownByClass: Partial<Record<DeadLetterClass, DirectOutcome>> = {
  rejected: "settled",
  ambiguous: "settled",
  retries_exhausted: "not_taken",
};

const knownByCause: Partial<Record<RetryCause, DirectOutcome>> = {
  ambiguous: "settled",
  deferred: "not_taken",
  throttled: "not_taken",
};

function createRun(event: EmailEvent): DeliveryRun {
  return createDeliveryRun({
    value: encodeEmailEvent(event), // what a worker would read: its digest is compared with ours
    replayCount: 0,
    replayedAt: undefined,
    origin: undefined,
  });
}

/** How the rest of the program asks for a mail. */
export interface EmailPublisher {
  /**
   * `queued`: the event log acknowledged it. `delivered`: the SMTP server accepted it (the direct
   * path). `settled`: it decided otherwise, which must not be revealed to whoever asked for the mail:
   * it tells whether a mailbox exists. `unavailable`: nobody took it, and the caller may publish the
   * same event again. `unsupported_address`: the SMTP server is known not to take such an address.
   * Resolves by `answerBy` (Unix ms; 12 s from now when left out); never throws for an engine that
   * is unavailable.
   */
  publish(event: EmailEvent, options?: { readonly answerBy?: number }): Promise<PublishOutcome>;
  /** What became of an earlier mail, as far as the ledger knows. */
  status(messageId: string): Promise<MailStatus>;
}

/** A request that asks for a mail is answered within this, whatever is unavailable. */
export const answerMsMax = 12_000;

export type PublishOutcome =
  | { readonly kind: "queued" }
  | { readonly kind: "delivered" }
  | { readonly kind: "settled" }
  /** `wasAsked`: there is a server, which did not take it. */
  | {
      readonly kind: "unavailable";
      readonly retryAfterSeconds: number;
      readonly wasAsked?: boolean;
    }
  /** It has letters beyond ASCII before the @, for which the server would need SMTPUTF8. */
  | { readonly kind: "unsupported_address" };

/**
 * `failed`: given up, expired or ambiguous: the mail will not come, or nobody knows. One that its
 * recipient's server refused counts as accepted: a new one would be refused as well.
 */
export type MailStatus = "unknown" | "pending" | "accepted" | "failed";

/** One try to get an event to the log, or its mail out directly. */
interface PublishedEvent {
  readonly path: "log" | "direct";
  readonly accepted: boolean;
  readonly seconds: number;
}

const buckets = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** A publisher's metrics. `isLogUnavailable`: whether mails are delivered directly now. */
export function createPublisherMetrics(
  metrics: Metrics,
  isLogUnavailable: () => boolean,
): (published: PublishedEvent) => void {
  const durations = metrics.histogram({
    name: "instant_email_publish_duration_seconds",
    help: "Time until the event log acknowledged an event (log), or the SMTP server its mail (direct); accepted=false: neither did.",
    labels: ["path", "accepted"],
    buckets,
  });
  metrics.gauge(
    {
      name: "instant_email_log_unavailable",
      help: "1 while the event log is unavailable and mails are delivered directly.",
    },
    (set) => set(isLogUnavailable() ? 1 : 0),
  );
  return ({ path, accepted, seconds }) =>
    durations.observe(seconds, { path, accepted: String(accepted) });
}

interface EventPublisherDeps {
  /** Undefined: every mail is delivered directly (ENABLE_KAFKA=false). */
  readonly eventLog: EventLog | undefined;
  readonly topic: string;
  readonly direct: DirectDelivery;
  readonly ledger: DeliveryLedger;
  readonly clock: Clock;
  readonly log: Log;
  /** How long the direct path may take to finish what is on the wire when the process stops. */
  readonly drainMs: number;
  /** The mailer of the direct path, for what it knows about its server. */
  readonly mailer?: Pick<Mailer, "offersUtf8">;
  readonly onPublished?: (published: PublishedEvent) => void;
}

const publishDeadlineMs = 2000;
const retryAfterSeconds = 10;

/**
 * Publishes to the event log, and delivers directly when the log did not acknowledge within 2 s.
 *
 * Closed: each event is published first. Open (the log failed once): events are delivered directly,
 * and the log is probed after 0.5, 1, 2 … 5 s; when it answers, events are published again.
 */
export class EventPublisher implements EmailPublisher, AsyncDisposable {
  readonly #deps: EventPublisherDeps;
  readonly #breaker: Breaker;

  constructor(deps: EventPublisherDeps) {
    const { clock, log } = deps;
    this.#deps = deps;
    this.#breaker = new Breaker({
      clock,
      probe: () => this.#probe(),
      probeDelayMsMin: 500,
      probeDelayMsMax: 5000,
      onChange: (state) => {
        if (state.kind === "closed") log.info({}, "Event log available again, publishing to it");
        else log.error({ reason: state.reason }, "Event log unavailable, delivering directly");
      },
    });
  }

  /** Why mails are delivered directly now; undefined while events are published. */
  get reasonDirect(): string | undefined {
    return this.#breaker.state.kind === "open" ? this.#breaker.state.reason : undefined;
  }

  async publish(
    event: EmailEvent,
    { answerBy }: { readonly answerBy?: number } = {},
  ): Promise<PublishOutcome> {
    const { clock, direct } = this.#deps;
    if (this.#isUnsupported(event)) return { kind: "unsupported_address" };
    const endsAt = answerBy ?? clock.now() + answerMsMax;
    if (await this.#publishToLog(event, endsAt - clock.now())) return { kind: "queued" };
    const leftMs = endsAt - clock.now();
    const startedAt = performance.now();
    const outcome = leftMs > 0 ? await direct.deliver(event, leftMs) : "unavailable";
    this.#measure("direct", outcome === "delivered", startedAt);
    if (outcome === "delivered") return { kind: "delivered" };
    // The first such mail is how the direct path learns what its server offers.
    if (this.#isUnsupported(event)) return { kind: "unsupported_address" };
    if (outcome === "settled") return { kind: "settled" };
    return { kind: "unavailable", retryAfterSeconds, wasAsked: outcome === "not_taken" };
  }

  async status(messageId: string): Promise<MailStatus> {
    try {
      const record = await this.#deps.ledger.find(messageId);
      if (record === undefined) return "unknown";
      if (record.state === "rejected" && record.class === "refused") return "accepted";
      return statusByState[record.state];
    } catch (error) {
      if (!isInstantError(error)) throw error;
      return "unknown";
    }
  }

  /** Waits for what the direct path has on the wire. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#breaker.stop();
    await this.#deps.direct.drain(this.#deps.drainMs);
  }

  #isUnsupported({ recipient }: EmailEvent): boolean {
    return this.#deps.mailer?.offersUtf8 === false && !isAscii(recipient);
  }

  async #publishToLog(event: EmailEvent, withinMs: number): Promise<boolean> {
    const { eventLog, topic, log } = this.#deps;
    const deadlineMs = Math.min(publishDeadlineMs, withinMs);
    if (eventLog === undefined || this.#breaker.state.kind === "open" || deadlineMs <= 0) {
      return false;
    }
    const record = {
      key: eventKey(event),
      value: encodeEmailEvent(event),
      headers: traceContextHeaders(),
    };
    const startedAt = performance.now();
    try {
      await eventLog.publish(topic, [record], { deadlineMs });
      this.#measure("log", true, startedAt);
      const fields = JSON.stringify(lineOf(event)).slice(1, -1);
      logText(log, fields, "Email event published", currentTraceContext());
      return true;
    } catch (error) {
      if (!isInstantError(error)) throw error;
      this.#measure("log", false, startedAt);
      this.#breaker.trip(errorMessage(error));
      return false;
    }
  }

  #measure(path: PublishedEvent["path"], accepted: boolean, startedAt: number): void {
    const seconds = (performance.now() - startedAt) / 1000;
    this.#deps.onPublished?.({ path, accepted, seconds });
  }

  async #probe(): Promise<string | undefined> {
    try {
      await this.#deps.eventLog?.ping({ deadlineMs: publishDeadlineMs });
      return undefined;
    } catch (error) {
      if (!isInstantError(error)) throw error;
      return errorMessage(error);
    }
  }
}

const statusByState = {
  claimed: "pending",
  submitting: "pending",
  accepted: "accepted",
  suppressed: "accepted", // nothing more will come, and a new code would not either
  rejected: "failed",
  expired: "failed",
  ambiguous: "failed",
} as const satisfies Record<string, MailStatus>;
