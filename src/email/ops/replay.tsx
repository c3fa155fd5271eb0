import { raw } from "hono/html";
import { errorMessage, isInstantError, unreachable } from "../../core/errors.ts";
import { Button, ButtonLink } from "../../core/html/controls.tsx";
import type { Log } from "../../core/log.ts";
import type { Service } from "../../core/service.ts";
import type { Clock } from "../../core/time.ts";
import { deadLetterSummary } from "../dead-letters/dead-letter.ts";
import type { ReplayDeps, ReplayPlan } from "../dead-letters/replay.ts";
import { replayDeadLetters } from "../dead-letters/replay.ts";
import type { ReplayPlace, ReplaySelection } from "../dead-letters/replay-plan.ts";
import { replayTotal } from "../dead-letters/replay-plan.ts";
import type { OpsSite } from "./ops-page.tsx";
import { counted, opsPage } from "./ops-page.tsx";

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
 * The replay started from the pages, one at a time. None, ended or failed: a replay may begin.
 * Running: replays dead letters, 200 a second at most, until it is done, cancelled, or the process
 * stops; what was replayed by then stays replayed, and the next replay skips it by the ledger.
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

  /** False if another one is running. */
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

/** The result of the dry run, with the confirmation. `fields`: the hidden fields of its form. */
export function planPage(
  site: OpsSite,
  plan: ReplayPlan,
  fields: Readonly<Record<string, string>>,
): Response {
  const total = replayTotal(plan.histogram);
  const rows = [...plan.histogram].toSorted(([, a], [, b]) => b.deadLetters - a.deadLetters);
  return opsPage({
    site,
    title: "Dry run",
    place: "/dead-letters",
    content: (
      <>
        <h1 class="page-title">Dry run</h1>
        <section class="card" aria-labelledby="plan-title">
          <h2 id="plan-title">
            {total === 0
              ? "Nothing to replay"
              : `${counted(total, "dead letter")} would be replayed`}
          </h2>
          <table class="rows">
            <thead>
              <tr>
                <th scope="col">Class</th>
                <th scope="col">Found</th>
                <th scope="col">To replay</th>
                <th scope="col">Skipped</th>
              </tr>
            </thead>
            <tbody>
              {rows.map(([name, { deadLetters, replay, skipped }]) => (
                <tr>
                  <th scope="row">{name}</th>
                  <td>{deadLetters}</td>
                  <td>{replay}</td>
                  <td class="why">
                    {[...skipped]
                      .map(([reason, count]) => `${count} ${skipText(reason)}`)
                      .join(", ") || "–"}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
          <form class="actions" method="post" action="/dead-letters/replay">
            {Object.entries(fields).map(([name, value]) => (
              <input type="hidden" name={name} value={value} />
            ))}
            <ButtonLink variant="plain" href="/dead-letters">
              Cancel
            </ButtonLink>
            {total > 0 && (
              <Button variant="danger">{`Replay ${counted(total, "dead letter")}`}</Button>
            )}
          </form>
        </section>
        {plan.first.length > 0 && <First plan={plan} total={total} />}
      </>
    ),
  });
}

/** The plan refers to flags of the command line; the pages have a checkbox and classes instead. */
function skipText(reason: string): string {
  if (reason === "needs --include-too-old") return "too old for the ledger";
  return reason === "needs --class ambiguous" ? "ambiguous (choose that class)" : reason;
}

function First({ plan, total }: { readonly plan: ReplayPlan; readonly total: number }) {
  return (
    <section class="card" aria-labelledby="first-title">
      <h2 id="first-title">
        {plan.first.length === total ? "To replay" : `The first ${plan.first.length} to replay`}
      </h2>
      <ol class="mails">
        {plan.first.map((deadLetter) => {
          const { partition, offset, className, messageId, recipient } =
            deadLetterSummary(deadLetter);
          return (
            <li>
              <p class="mail-line">
                <span class="badge badge-bad">{className}</span>
                <a href={`/dead-letters/at/${partition}/${offset}`}>
                  {messageId ?? "no message_id"}
                </a>
                <span>{recipient ?? ""}</span>
              </p>
            </li>
          );
        })}
      </ol>
    </section>
  );
}

export function progressPage(site: OpsSite, state: ReplayState): Response {
  return opsPage({
    site,
    title: "Replay",
    place: "/dead-letters",
    live: true,
    content: (
      <>
        <h1 class="page-title">Replay</h1>
        <section class="card stack" aria-label="Progress">
          <div id="replay" role="status">
            {raw(String(<ReplayProgress state={state} />))}
          </div>
          <p>
            <a href="/dead-letters">Dead letters</a>
          </p>
        </section>
      </>
    ),
  });
}

export function ReplayProgress({ state }: { readonly state: ReplayState }) {
  switch (state.kind) {
    case "none":
      return <p>No replay since this process started.</p>;
    case "running":
      return (
        <>
          <p>
            {state.replayed} of {state.total} replayed
          </p>
          <progress max={state.total} value={state.replayed} aria-label="Replayed" />
          <form class="actions" method="post" action="/dead-letters/stop">
            <Button variant="danger-plain">Stop after this batch</Button>
          </form>
        </>
      );
    case "ended":
      return (
        <p class={`state ${state.complete ? "state-good" : "state-bad"}`}>
          {state.complete
            ? `Done: ${state.replayed} replayed. They are back on the events topic and are sent like any other.`
            : `Stopped after ${state.replayed}. What was replayed stays replayed.`}
        </p>
      );
    case "failed":
      return <p class="state state-bad">{`Failed after ${state.replayed}: ${state.reason}`}</p>;
    default:
      return unreachable(state);
  }
}
