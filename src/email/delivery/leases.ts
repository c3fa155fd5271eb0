import type { Clock } from "../../core/time.ts";
import type { Claim, DeliveryLedger, LedgerStep } from "../ledger/delivery-ledger.ts";

/** A claim that its owner works on, and the lease it has by now. */
export interface HeldLease {
  readonly claim: Claim;
  state: "claimed" | "submitting";
  /** Unix ms. */
  renewedAt: number;
  /** Its index in the list of `Leases`; undefined once it is dropped. */
  place?: number | undefined;
}

/** The lease in `submitting`, in leases of a claim. */
const submittingLeases = 3;
const scansPerLease = 6;

/**
 * Renews the leases of the mails in flight, all by one timer: each once a third of it is over, until
 * it is dropped or its claim is lost. A renewal that fails needs no reaction: whatever is written next
 * compares owner and fence again.
 */
export class Leases {
  /** Of a claim; in `submitting` three times as long: 45 s. */
  readonly leaseMs: number;
  readonly #ledger: Pick<DeliveryLedger, "advanceAll">;
  readonly #clock: Clock;
  /**
   * Not a Set: each time that one grows or shrinks, JavaScriptCore leaves its former table to the
   * garbage collector, linked to the next. Those links keep most mails until the next full collection.
   */
  readonly #held: HeldLease[] = [];
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(ledger: Pick<DeliveryLedger, "advanceAll">, clock: Clock, leaseMs: number) {
    this.#ledger = ledger;
    this.#clock = clock;
    this.leaseMs = leaseMs;
  }

  lengthOf(state: HeldLease["state"]): number {
    return state === "submitting" ? this.leaseMs * submittingLeases : this.leaseMs;
  }

  hold(lease: HeldLease): void {
    lease.place = this.#held.push(lease) - 1;
    this.#timer ??= setInterval(() => void this.#scan(), this.leaseMs / scansPerLease);
  }

  drop(lease: HeldLease): void {
    const { place } = lease;
    if (place === undefined) return;
    lease.place = undefined;
    const last = this.#held.pop();
    if (last === undefined || last === lease) return;
    this.#held[place] = last;
    last.place = place;
  }

  async #scan(): Promise<void> {
    if (this.#held.length === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
      return;
    }
    const now = this.#clock.now();
    const due = this.#held.filter(({ state, renewedAt }) => {
      return now - renewedAt >= this.lengthOf(state) / 3;
    });
    if (due.length === 0) return;
    const steps = due.map((lease): LedgerStep => {
      const { claim, state } = lease;
      lease.renewedAt = now;
      return { claim, change: { kind: "renew", state, leaseMs: this.lengthOf(state) } };
    });
    const states = due.map(({ state }) => state);
    const answers = await this.#ledger.advanceAll(steps);
    for (const [index, lease] of due.entries()) {
      const answer = answers[index];
      const isLost = answer !== undefined && "kind" in answer && answer.kind === "lost";
      // One that moved on meanwhile was lost in its former state only.
      if (isLost && lease.state === states[index]) this.drop(lease);
    }
  }
}
