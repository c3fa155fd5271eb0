import { errorMessage, isInstantError } from "../../core/errors.ts";
import type { Log } from "../../core/log.ts";
import type { Service } from "../../core/service.ts";
import type { Clock } from "../../core/time.ts";
import type { ReplayDeps } from "../dead-letters/replay.ts";
import { replayDeadLetters } from "../dead-letters/replay.ts";
import type { ReplayPlace, ReplaySelection } from "../dead-letters/replay-plan.ts";

export type ReplayState =
  | { readonly kind: "none" }
  | { readonly kind: "running"; readonly replayed: number; readonly total: number }
  /** `complete`: false when it was stopped before its end. */
  | { readonly kind: "ended"; readonly replayed: number; readonly complete: boolean }
  | { readonly kind: "failed"; readonly replayed: number; readonly reason: string };

interface ReplayOrder {
  readonly selection: ReplaySelection;
  readonly place: ReplayPlace;
  readonly total: number;
}

const perSecond = 200;

/**
 * One replay at a time, begun from the pages. None or ended: may begin. Running: puts letters back,
 * 200 a second at most, until its end, `cancel` or the end of the process; what it put back by then
 * stays, and another replay skips it, because the ledger knows.
 */
export class ReplayJob implements Service {
  readonly name = "replay of dead letters";
  readonly #deps: ReplayDeps;
  readonly #log: Log;
  #state: ReplayState = { kind: "none" };
  #abort = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(deps: ReplayDeps & { readonly clock: Clock }, log: Log) {
    this.#deps = deps;
    this.#log = log;
  }

  get state(): ReplayState {
    return this.#state;
  }

  /** False: another one runs. */
  begin(order: ReplayOrder): boolean {
    if (this.#state.kind === "running" || this.#stopped) return false;
    this.#abort = new AbortController();
    this.#state = { kind: "running", replayed: 0, total: order.total };
    this.#log.warn({ deadLetters: order.total }, "Replay of dead letters started by an operator");
    this.#running = this.#run(order);
    return true;
  }

  cancel(): void {
    this.#abort.abort(new Error("the replay was stopped"));
  }

  async start(): Promise<void> {}

  async stop(): Promise<void> {
    this.#stopped = true;
    this.cancel();
    await this.#running;
  }

  async #run({ selection, place, total }: ReplayOrder): Promise<void> {
    let replayed = 0;
    const { signal } = this.#abort;
    try {
      await replayDeadLetters(this.#deps, {
        selection,
        place,
        limit: total,
        perSecond,
        signal,
        onProgress: (newest) => {
          replayed = newest.replayed;
          this.#state = { kind: "running", replayed, total };
        },
      });
      this.#state = { kind: "ended", replayed, complete: !signal.aborted };
    } catch (error) {
      if (error === signal.reason) this.#state = { kind: "ended", replayed, complete: false };
      else if (!isInstantError(error)) throw error;
      else this.#state = { kind: "failed", replayed, reason: errorMessage(error) };
    }
    this.#log.warn({ ...this.#state }, "Replay of dead letters ended");
  }
}
