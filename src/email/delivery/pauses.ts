import { errorMessage, isInstantError } from "../../core/errors.ts";
import type { Log } from "../../core/log.ts";
import type { Clock } from "../../core/time.ts";
import type { DeliveryLedger } from "../ledger/delivery-ledger.ts";
import type { PendingOutcomes } from "../ledger/pending-outcomes.ts";
import type { MailServers } from "../mailer/mail-servers.ts";
import { Breaker } from "./breaker.ts";

interface PausesDeps {
  readonly ledger: DeliveryLedger;
  /** Known outcomes that wait for the ledger: they are written before new claims. */
  readonly pendingOutcomes: Pick<PendingOutcomes, "count" | "onPending">;
  readonly mailer: MailServers;
  readonly clock: Clock;
  readonly log: Log;
  /** Most poison of the last 100 records; 0: no guard. */
  readonly poisonMax: number;
  /** A reason came or went. */
  readonly onChange: () => void;
}

const ledgerPingDeadlineMs = 2000;
const redisUnavailable = "Redis is not connected: start it, or check REDIS_URL or REDIS_ADDR";

/**
 * Why delivery may have to pause as a whole: no SMTP server is up (`MailServers`), the ledger is
 * unavailable, or too many records are poison. The first two end by themselves, by probes; the third
 * when a person has fixed it. What a pause means for a record is the worker's business.
 */
export class Pauses {
  readonly #deps: PausesDeps;
  readonly #ledger: Breaker;
  readonly #guard: PoisonGuard;

  constructor(deps: PausesDeps) {
    this.#deps = deps;
    this.#ledger = this.#openBreaker();
    this.#guard = new PoisonGuard(deps.poisonMax);
    deps.mailer.onChange(deps.onChange);
    // While every mail waits for its outcome to be written, none would find the ledger unavailable.
    deps.pendingOutcomes.onPending((reason) => this.ledgerUnavailable(reason));
  }

  /** Empty when mails flow. */
  get reasons(): readonly string[] {
    const { mailer } = this.#deps;
    const pausing = [mailer.down?.reason, this.#ledgerReason, this.#guard.reason];
    const reasons = pausing.filter((reason) => reason !== undefined);
    const known = this.#knownLedgerProblem;
    return reasons.length === 0 && known !== undefined ? [known] : reasons;
  }

  /** By part: whether delivery waits for it. */
  get paused(): Readonly<Record<"smtp" | "ledger" | "poison", boolean>> {
    return {
      smtp: this.#deps.mailer.down !== undefined,
      ledger: (this.#ledgerReason ?? this.#knownLedgerProblem) !== undefined,
      poison: this.#guard.reason !== undefined,
    };
  }

  /** Whether no further record should be taken on. */
  get pausesConsumption(): boolean {
    const isHalted = this.#ledgerReason !== undefined || this.#guard.reason !== undefined;
    return isHalted || this.#deps.mailer.pausesConsumption;
  }

  /** Whether a mail would have to wait in `untilLedgerBack`. */
  get isLedgerDown(): boolean {
    return this.#ledgerReason !== undefined;
  }

  get #ledgerReason(): string | undefined {
    const { state } = this.#ledger;
    return state.kind === "open" ? state.reason : undefined;
  }

  /** What Redis' client knows to be wrong before any mail has met it; such a mail then trips us. */
  get #knownLedgerProblem(): string | undefined {
    const { connection, refusal } = this.#deps.ledger;
    if (refusal !== undefined) return `Redis: ${refusal}`;
    return connection === "disconnected" ? redisUnavailable : undefined;
  }

  ledgerUnavailable(reason: string): void {
    this.#ledger.trip(reason);
  }

  /** Notes one more record. True: bury no poison, a person has to look. */
  received(isPoison: boolean): boolean {
    const before = this.#guard.reason;
    const tripped = this.#guard.observe(isPoison);
    if (tripped && before === undefined) {
      this.#deps.log.error({ part: "Poison guard", reason: this.#guard.reason }, "Delivery paused");
      this.#deps.onChange();
    }
    return tripped;
  }

  untilLedgerBack(signal: AbortSignal): Promise<void> {
    return this.#ledger.untilClosed({ signal });
  }

  stop(): void {
    this.#ledger.stop();
  }

  #openBreaker(): Breaker {
    const { clock, log, onChange } = this.#deps;
    const part = "Delivery ledger";
    return new Breaker({
      clock,
      probe: () => this.#probeLedger(),
      probeDelayMsMin: 250,
      probeDelayMsMax: 2000,
      onChange: (state) => {
        if (state.kind === "open") log.error({ part, reason: state.reason }, "Delivery paused");
        else log.info({ part }, "Delivery resumed");
        onChange();
      },
    });
  }

  async #probeLedger(): Promise<string | undefined> {
    try {
      await this.#deps.ledger.ping({ deadlineMs: ledgerPingDeadlineMs });
      const pending = this.#deps.pendingOutcomes.count;
      return pending === 0 ? undefined : `${pending} outcomes are being written to the ledger`;
    } catch (error) {
      if (!isInstantError(error)) throw error;
      return errorMessage(error);
    }
  }
}

const windowRecords = 100;

/**
 * Watches for a bad deploy: a producer that writes unreadable records would have its whole topic
 * moved to the dead letters, record by record.
 *
 * Watching: of the newest 100 records at most `poisonMax` were poison. Tripped: more were; it stays
 * so until the process restarts, since only a person can tell which side to fix.
 */
class PoisonGuard {
  readonly #poisonMax: number;
  readonly #window = new Uint8Array(windowRecords);
  #next = 0;
  #poison = 0;
  #tripped = false;

  /** `poisonMax` 0: off. */
  constructor(poisonMax: number) {
    this.#poisonMax = poisonMax;
  }

  /** Notes one more record; true when the guard has tripped, now or before. */
  observe(isPoison: boolean): boolean {
    if (this.#poisonMax === 0 || this.#tripped) return this.#tripped;
    const value = isPoison ? 1 : 0;
    this.#poison += value - (this.#window[this.#next] ?? 0);
    this.#window[this.#next] = value;
    this.#next = (this.#next + 1) % windowRecords;
    this.#tripped = this.#poison > this.#poisonMax;
    return this.#tripped;
  }

  /** For the log and `/readyz`; undefined while watching. */
  get reason(): string | undefined {
    if (!this.#tripped) return undefined;
    return `more than ${this.#poisonMax} of the last ${windowRecords} records cannot be read; fix their producer, or set EMAIL_POISON_GUARD=0 to move them to the dead letters, and restart`;
  }
}
