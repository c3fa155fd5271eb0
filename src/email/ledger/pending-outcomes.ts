import { errorMessage, InstantError, isInstantError } from "../../core/errors.ts";
import type { Log } from "../../core/log.ts";
import type { Clock } from "../../core/time.ts";
import { backoffMs, settlesWithin, systemClock } from "../../core/time.ts";
import type { AdvanceOutcome, Claim, DeliveryLedger, LedgerChange } from "./delivery-ledger.ts";
import { ledgerErrors } from "./delivery-ledger.ts";

const pendingMax = 10_000;
const retryBackoff = { delayMsMin: 100, delayMsMax: 1000 };
const writtenAtOnce = 100;

interface PendingOutcome {
  readonly claim: Claim;
  readonly change: LedgerChange;
  readonly settled: PromiseWithResolvers<AdvanceOutcome>;
}

interface PendingOutcomesOptions {
  readonly ledger: Pick<DeliveryLedger, "advance">;
  readonly log: Log;
  readonly clock?: Clock;
}

/**
 * Writes a known outcome however long the ledger is unavailable: lost, a mail that was sent would be
 * sent again.
 *
 * Empty: outcomes go straight to the ledger. Pending: one or more (10,000 at most) wait here, and the
 * listeners of `onPending` were called, once; the oldest is tried again after 100, 200, 400 … 1000 ms,
 * for ever, and once it is written the others follow. Nobody should claim while outcomes are pending.
 * Given up: `flush` could not write them in time; their callers get an error, and the log names them.
 */
export class PendingOutcomes {
  readonly #options: PendingOutcomesOptions;
  readonly #clock: Clock;
  readonly #listeners: ((reason: string) => void)[] = [];
  #waiting: PendingOutcome[] = [];
  #writing: Promise<void> | undefined;
  #givenUp = new AbortController();

  constructor(options: PendingOutcomesOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  get count(): number {
    return this.#waiting.length;
  }

  /** `listener` is called with the reason whenever the first outcome has to wait. */
  onPending(listener: (reason: string) => void): void {
    this.#listeners.push(listener);
  }

  /** Resolves once written. Throws `ledger_unavailable` when 10,000 are pending, or given up. */
  async record(claim: Claim, change: LedgerChange): Promise<AdvanceOutcome> {
    try {
      return await this.#options.ledger.advance(claim, change);
    } catch (error) {
      if (!isUnavailable(error) || this.#waiting.length >= pendingMax) throw error;
      const pending: PendingOutcome = { claim, change, settled: Promise.withResolvers() };
      this.#waiting.push(pending);
      this.#writing ??= this.#writeUntilEmpty(errorMessage(error));
      return pending.settled.promise;
    }
  }

  /** For the end of the process. True: all are written. False: the rest was given up. */
  async flush(options: { readonly deadlineMs: number }): Promise<boolean> {
    const { deadlineMs } = options;
    if (this.#writing !== undefined) await settlesWithin(this.#clock, deadlineMs, this.#writing);
    if (this.#waiting.length === 0) return true;
    this.#givenUp.abort();
    await this.#writing;
    return false;
  }

  async #writeUntilEmpty(reason: string): Promise<void> {
    const { log } = this.#options;
    const { signal } = this.#givenUp;
    log.warn({ reason }, "Ledger unavailable, outcomes wait in memory");
    for (const listener of this.#listeners) listener(reason);
    let failures = 1;
    while (this.#waiting.length > 0) {
      await this.#clock.sleep(backoffMs(failures, retryBackoff), signal);
      if (signal.aborted) {
        this.#giveUp();
        break;
      }
      const isBack = await this.#write(this.#waiting.slice(0, 1));
      if (isBack) await this.#writeAll();
      failures = isBack ? 1 : failures + 1;
    }
    this.#writing = undefined;
    if (!signal.aborted) log.info({}, "Pending outcomes written");
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      if (!(await this.#write(this.#waiting.slice(0, writtenAtOnce)))) return;
    }
  }

  /** False while the ledger is unavailable; what was written is no longer pending. */
  async #write(some: readonly PendingOutcome[]): Promise<boolean> {
    const written = await Promise.all(some.map((pending) => this.#writeOne(pending)));
    this.#waiting = this.#waiting.filter((pending) => !written.includes(pending));
    return written.every((pending) => pending !== undefined);
  }

  async #writeOne(pending: PendingOutcome): Promise<PendingOutcome | undefined> {
    try {
      pending.settled.resolve(await this.#options.ledger.advance(pending.claim, pending.change));
    } catch (error) {
      if (isUnavailable(error)) return undefined;
      pending.settled.reject(error);
    }
    return pending;
  }

  #giveUp(): void {
    const error = new InstantError(ledgerErrors.ledgerUnavailable, {
      detail: "not until the process had to end",
    });
    for (const { claim, change, settled } of this.#waiting.splice(0)) {
      const line = { messageID: claim.messageId, state: change.kind, fence: claim.fence };
      this.#options.log.error(line, "Outcome could not be written to the ledger");
      settled.reject(error);
    }
  }
}

function isUnavailable(error: unknown): boolean {
  return isInstantError(error, ledgerErrors.ledgerUnavailable);
}
