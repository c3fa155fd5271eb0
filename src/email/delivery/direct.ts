import { unreachable } from "../../core/errors.ts";
import type { Log } from "../../core/log.ts";
import type { Clock } from "../../core/time.ts";
import type { EmailEvent } from "../event.ts";
import { encodeEmailEvent } from "../event.ts";
import type { DeliveryLedger } from "../ledger/delivery-ledger.ts";
import type { DeliveryOutcome, DeliveryRun } from "./outcome.ts";
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
 * Delivers one event at once, for when the event log is unavailable: the same pipeline, the same
 * ledger, so that an event that reached the log all the same is a duplicate there. True once the
 * SMTP server has accepted the mail, whoever owned the claim; false when that did not happen in time.
 * It writes no dead letters. A mail whose content is on the wire at the deadline is finished in the
 * background; `drain` waits for it.
 */
export class DirectDelivery {
  readonly #deps: DirectDeps;
  readonly #running = new Set<Promise<boolean>>();

  constructor(deps: DirectDeps) {
    this.#deps = deps;
  }

  async deliver(event: EmailEvent, withinMs = withinMsDefault): Promise<boolean> {
    const { clock } = this.#deps;
    const deadline = new AbortController();
    const done = new AbortController();
    const running = this.#run(event, deadline.signal).finally(() => done.abort());
    this.#running.add(running);
    running.finally(() => this.#running.delete(running)).catch(() => {});
    await clock.sleep(withinMs, done.signal);
    if (done.signal.aborted) return running;
    deadline.abort(new Error("the direct delivery took too long"));
    running.catch(() => {});
    return false;
  }

  /** Resolves when nothing is on the wire, or after `drainMs`. */
  async drain(drainMs: number): Promise<void> {
    if (this.#running.size === 0) return;
    const done = new AbortController();
    void Promise.allSettled(this.#running).then(() => done.abort());
    await this.#deps.clock.sleep(drainMs, done.signal);
  }

  async #run(event: EmailEvent, signal: AbortSignal): Promise<boolean> {
    const run = createRun(event);
    for (let serverDowns = 0; !signal.aborted; ) {
      const outcome = await this.#deps.pipeline(run, { signal, evenIfDown: true });
      if (outcome.kind === "server_down" && outcome.down.another !== true) serverDowns += 1;
      const next = decide(outcome, serverDowns);
      if (outcome.kind === "unconfirmed") await untilConfirmed(outcome, run, signal);
      else if (next.kind === "wait") await this.#deps.clock.sleep(next.waitMs, signal);
      else return this.#finish(event, outcome, next.delivered);
    }
    await releaseClaim(this.#deps.ledger, run.claim, "direct delivery gave up");
    return false;
  }

  #finish(event: EmailEvent, outcome: DeliveryOutcome, delivered: boolean): boolean {
    if (!delivered) {
      const reason = "deadLetter" in outcome ? outcome.deadLetter.reason : undefined;
      this.#deps.log.warn(
        { ...lineOf(event), outcome: outcome.kind, reason },
        "Direct delivery failed",
      );
    }
    return delivered;
  }
}

type Next =
  | { readonly kind: "done"; readonly delivered: boolean }
  | { readonly kind: "wait"; readonly waitMs: number };

/** A server that is down gets one more attempt, since a single connection may just have ended. */
function decide(outcome: DeliveryOutcome, serverDowns: number): Next {
  switch (outcome.kind) {
    case "accepted":
    case "duplicate":
    case "suppressed": // the answer must not show who gets no mail
      return { kind: "done", delivered: true };
    case "expired":
    case "buried_before":
    case "dead_letter":
    case "ledger_unavailable":
      return { kind: "done", delivered: false };
    case "leased":
      return { kind: "wait", waitMs: Math.min(outcome.waitMs, pollMs) };
    case "retry":
      return { kind: "wait", waitMs: outcome.waitMs };
    case "unconfirmed":
      return { kind: "wait", waitMs: 0 };
    case "server_down":
      if (outcome.down.another === true) return { kind: "wait", waitMs: 0 };
      return serverDowns > 1
        ? { kind: "done", delivered: false }
        : { kind: "wait", waitMs: retryAfterLossMs };
    default:
      return unreachable(outcome);
  }
}

function createRun(event: EmailEvent): DeliveryRun {
  return createDeliveryRun({
    value: encodeEmailEvent(event), // what a worker would read: its digest is compared with ours
    replayCount: 0,
    replayedAt: undefined,
    origin: undefined,
  });
}
