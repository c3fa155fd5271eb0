import type { Clock } from "../core/clock.ts";
import { errorMessage, isInstantError } from "../core/errors.ts";
import { Breaker } from "../core/flow/breaker.ts";
import type { Log } from "../core/log.ts";
import type { DeliveryLedger } from "./ledger/delivery-ledger.ts";
import type { HeldOutcomes } from "./ledger/held-outcomes.ts";
import type { MailServers } from "./mailer/mail-servers.ts";
import { PoisonGuard } from "./poison-guard.ts";

interface PausesDeps {
  readonly ledger: DeliveryLedger;
  /** Known outcomes that wait to be written to the ledger: they go first. */
  readonly heldOutcomes: Pick<HeldOutcomes, "held" | "onHolding">;
  readonly mailer: MailServers;
  readonly clock: Clock;
  readonly log: Log;
  /** Most poison of the last 100 records; 0: no guard. */
  readonly poisonMax: number;
  /** A reason came or went. */
  readonly onChange: () => void;
}

const ledgerPingDeadlineMs = 2000;

/**
 * Why delivery may have to pause as a whole: no SMTP server is well (`MailServers`), the ledger is
 * unavailable, or most records are poison. The first two end by themselves, by probes; the third
 * when a person has fixed it. What it means for a record is the worker's business.
 */
export class Pauses {
  readonly #deps: PausesDeps;
  readonly #ledger: Breaker;
  readonly #guard: PoisonGuard;

  constructor(deps: PausesDeps) {
    this.#deps = deps;
    this.#ledger = this.#openBreaker();
    this.#guard = new PoisonGuard(deps.poisonMax);
    // Mails may all be waiting for their outcome to be written; then none asks the ledger itself.
    deps.mailer.onChange(deps.onChange);
    deps.heldOutcomes.onHolding((reason) => this.ledgerAway(reason));
  }

  /** Empty when mails flow. */
  get reasons(): readonly string[] {
    const { state } = this.#ledger;
    const ledger = state.kind === "open" ? state.reason : undefined;
    return [this.#deps.mailer.down?.reason, ledger, this.#guard.reason].filter(
      (reason) => reason !== undefined,
    );
  }

  /** By part: whether delivery waits for it. */
  get paused(): Readonly<Record<"smtp" | "ledger" | "poison", boolean>> {
    return {
      smtp: this.#deps.mailer.down !== undefined,
      ledger: this.#ledger.state.kind === "open",
      poison: this.#guard.reason !== undefined,
    };
  }

  /** Whether no further record should be taken on. */
  get pausesConsumption(): boolean {
    const { ledger, poison } = this.paused;
    return ledger || poison || this.#deps.mailer.pausesConsumption;
  }

  ledgerAway(reason: string): void {
    this.#ledger.trip(reason);
  }

  /** True: bury no poison, somebody has to look. */
  received(isPoison: boolean): boolean {
    const before = this.#guard.reason;
    const tripped = this.#guard.note(isPoison);
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
      const held = this.#deps.heldOutcomes.held;
      return held === 0 ? undefined : `${held} outcomes are being written to the ledger`;
    } catch (error) {
      if (!isInstantError(error)) throw error;
      return errorMessage(error);
    }
  }
}
