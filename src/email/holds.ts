import type { Clock } from "../core/clock.ts";
import { errorMessage, isInstantError } from "../core/errors.ts";
import { Breaker } from "../core/flow/breaker.ts";
import type { Log } from "../core/log.ts";
import { DeferralStreak } from "./deferral-streak.ts";
import type { DeliveryLedger } from "./ledger/delivery-ledger.ts";
import type { HeldOutcomes } from "./ledger/held-outcomes.ts";
import type { Mailer, ServerDown } from "./mailer/mailer.ts";
import { PoisonGuard } from "./poison-guard.ts";

export interface HoldsDeps {
  readonly ledger: DeliveryLedger;
  /** Known outcomes that wait to be written to the ledger: they go first. */
  readonly heldOutcomes: Pick<HeldOutcomes, "held" | "onHolding">;
  readonly mailer: Mailer;
  readonly clock: Clock;
  readonly log: Log;
  /** Most poison of the last 100 records; 0: no guard. */
  readonly poisonMax: number;
  /** A reason came or went. */
  readonly onChange: () => void;
}

const ledgerPingDeadlineMs = 2000;

/**
 * Why delivery may have to wait as a whole: the SMTP server is down, the ledger is away, or most
 * records are poison. The first two end by themselves, by probes; the third when a person has
 * mended it. What it means for a record is the worker's business.
 */
export class Holds {
  readonly #deps: HoldsDeps;
  readonly #smtp: Breaker;
  readonly #ledger: Breaker;
  readonly #guard: PoisonGuard;
  readonly #streak = new DeferralStreak();
  #down: ServerDown | undefined;

  constructor(deps: HoldsDeps) {
    this.#deps = deps;
    this.#smtp = this.#breaker("SMTP server", [1000, 5000], (signal) => this.#probeSmtp(signal));
    this.#ledger = this.#breaker("Delivery ledger", [250, 2000], () => this.#probeLedger());
    this.#guard = new PoisonGuard(deps.poisonMax);
    // Mails may all be waiting for their outcome to be written; then none asks the ledger itself.
    deps.heldOutcomes.onHolding((reason) => this.ledgerAway(reason));
  }

  /** Empty when mails flow. */
  get reasons(): readonly string[] {
    const breakers = [this.#smtp.state, this.#ledger.state].map((state) =>
      state.kind === "open" ? state.reason : undefined,
    );
    return [...breakers, this.#guard.reason].filter((reason) => reason !== undefined);
  }

  /** By part: whether delivery waits for it. */
  get held(): Readonly<Record<"smtp" | "ledger" | "poison", boolean>> {
    return {
      smtp: this.#smtp.state.kind === "open",
      ledger: this.#ledger.state.kind === "open",
      poison: this.#guard.reason !== undefined,
    };
  }

  /** What is wrong with the server while it is known to be down. */
  get down(): ServerDown | undefined {
    return this.#smtp.state.kind === "open" ? this.#down : undefined;
  }

  serverDown(down: ServerDown): void {
    this.#down = down;
    this.#smtp.trip(down.reason);
  }

  ledgerAway(reason: string): void {
    this.#ledger.trip(reason);
  }

  deferred(recipient: string): void {
    if (!this.#streak.defer(recipient)) return;
    const host = this.#deps.mailer.address;
    const reason = `${host} defers every mail; what it said is in the log`;
    this.serverDown({ kind: "server_down", cause: "system", host, reason });
  }

  accepted(recipient: string): void {
    this.#streak.accept(recipient);
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

  untilServerBack(options: { readonly untilMs: number; readonly signal: AbortSignal }) {
    return this.#smtp.untilClosed(options);
  }

  untilLedgerBack(signal: AbortSignal): Promise<void> {
    return this.#ledger.untilClosed({ signal });
  }

  stop(): void {
    this.#smtp.stop();
    this.#ledger.stop();
  }

  #breaker(
    part: string,
    [probeDelayMsMin, probeDelayMsMax]: readonly [number, number],
    probe: (signal: AbortSignal) => Promise<string | undefined>,
  ): Breaker {
    const { clock, log, onChange } = this.#deps;
    return new Breaker({
      clock,
      probe,
      probeDelayMsMin,
      probeDelayMsMax,
      onChange: (state) => {
        if (state.kind === "open") log.error({ part, reason: state.reason }, "Delivery paused");
        else log.info({ part }, "Delivery resumed");
        onChange();
      },
    });
  }

  async #probeSmtp(signal: AbortSignal): Promise<string | undefined> {
    const probed = await this.#deps.mailer.probe(signal);
    if (probed.kind === "up") return undefined;
    this.#down = probed;
    return probed.reason;
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
