// The dead-letter queue for operators: its routes, dry run, replay and progress.
import type { Hono } from "hono";
import { raw } from "hono/html";
import { z } from "zod";
import { errorMessage, isInstantError, unreachable } from "../../core/errors.ts";
import { Button, ButtonLink } from "../../core/html/page.tsx";
import type { HttpContext, HttpEnvironment } from "../../core/http/problem.ts";
import type { Log } from "../../core/log.ts";
import type { Service } from "../../core/service.ts";
import type { Clock } from "../../core/time.ts";
import {
  deadLetterSummary,
  findDeadLetterAt,
  findDeadLetters,
} from "../dead-letters/dead-letter.ts";
import type { ReplayDeps, ReplayPlan } from "../dead-letters/replay.ts";
import { planReplay, replayDeadLetters } from "../dead-letters/replay.ts";
import type { ReplayPlace, ReplaySelection } from "../dead-letters/replay-plan.ts";
import { maxReplaysDefault, replayTotal } from "../dead-letters/replay-plan.ts";
import type { DeadLetterClass } from "../delivery/outcome.ts";
import { deadLetterClasses } from "../delivery/outcome.ts";
import { isMessageId } from "../event.ts";
import { deadLetterPage, deadLettersPage } from "./dead-letters-page.tsx";
import type { OpsSite } from "./ops-page.tsx";
import { counted, opsMessagePage, opsPage } from "./ops-page.tsx";

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
function planPage(
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

function progressPage(site: OpsSite, state: ReplayState): Response {
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

export interface DeadLetterRouteDeps {
  readonly site: OpsSite;
  readonly replays: ReplayDeps;
  readonly replay: ReplayJob;
}

const replayLimit = 1_000_000;

/** The forms of a replay. `to`: the end offsets of the partitions at the dry run, as JSON. */
const formSchema = z.object({
  class: z.enum(["all", ...deadLetterClasses]).default("all"),
  id: z.string().refine(isMessageId).optional(),
  too_old: z.literal("yes").optional(),
  to: z.string().max(20_000).optional(),
});
type ReplayForm = z.infer<typeof formSchema>;
const endsSchema = z.array(z.object({ partition: z.int(), to: z.int().nonnegative() })).max(1000);

/**
 * `/dead-letters`: lists, a dry run with a confirmation, the replay, and its progress at `/replay`.
 */
export function addDeadLetterRoutes(app: Hono<HttpEnvironment>, deps: DeadLetterRouteDeps): void {
  const { site, replays, replay } = deps;
  const { eventLog, deadLetterTopic: topic } = replays;
  const list = async (shown: string, page: number) => {
    const found = await findDeadLetters(eventLog, { topic }, () => true);
    const deadLetters = found.toSorted((a, b) => b.record.timestamp - a.record.timestamp);
    return deadLettersPage({ site, deadLetters, shown, page });
  };
  app.get("/dead-letters", () => list("all", 1));
  app.get("/dead-letters/of/:class{[a-z_]{1,32}}/:page{[1-9]\\d{0,4}}", (context) =>
    list(context.req.param("class"), Number(context.req.param("page"))),
  );
  app.get("/dead-letters/at/:partition{\\d{1,6}}/:offset{\\d{1,15}}", async (context) => {
    const partition = Number(context.req.param("partition"));
    const offset = Number(context.req.param("offset"));
    const known = (await eventLog.offsets(topic)).some((each) => each.partition === partition);
    const deadLetter = known
      ? await findDeadLetterAt(eventLog, { topic, partition, offset })
      : undefined;
    return deadLetter === undefined ? notFound(site) : deadLetterPage(site, deadLetter);
  });
  app.post("/dead-letters/plan", async (context) => {
    const form = await readForm(context);
    if (form === undefined) return notFound(site);
    const place = await wholeTopic(replays);
    const plan = await planReplay(replays, {
      selection: selectionOf(form),
      place,
      limit: replayLimit,
    });
    const to = JSON.stringify(place.partitions.map(({ partition, to }) => ({ partition, to })));
    const fields = Object.entries({ ...form, to }).filter(([, value]) => value !== undefined);
    return planPage(site, plan, Object.fromEntries(fields) as Record<string, string>);
  });
  app.post("/dead-letters/replay", async (context) => {
    const form = await readForm(context);
    const ends = form && parseEnds(form.to);
    if (form === undefined || ends === undefined) return notFound(site);
    const selection = selectionOf(form);
    const place = upTo(await wholeTopic(replays), ends);
    const plan = await planReplay(replays, { selection, place, limit: replayLimit });
    const total = replayTotal(plan.histogram);
    if (total > 0 && !replay.begin({ selection, place, total })) {
      return opsMessagePage(site, {
        status: 409,
        title: "A replay is already running",
        text: "A process runs one replay at a time. Wait until it has ended, then start this one again.",
        href: "/dead-letters",
        button: "Dead letters",
      });
    }
    return context.redirect("/replay", 303);
  });
  app.post("/dead-letters/stop", (context) => {
    replay.cancel();
    return context.redirect("/replay", 303);
  });
  app.get("/replay", () => progressPage(site, replay.state));
}

async function readForm(context: HttpContext): Promise<ReplayForm | undefined> {
  const fields = Object.fromEntries(new URLSearchParams(await context.req.text()));
  return formSchema.safeParse(fields).data;
}

function parseEnds(text: string | undefined): z.infer<typeof endsSchema> | undefined {
  try {
    return endsSchema.safeParse(JSON.parse(text ?? "")).data;
  } catch {
    return undefined; // not JSON, so not our form
  }
}

function selectionOf(form: ReplayForm): ReplaySelection {
  const classes: ReadonlySet<DeadLetterClass> | undefined =
    form.class === "all" ? undefined : new Set([form.class]);
  return {
    classes,
    messageId: form.id,
    recipient: undefined,
    since: undefined,
    maxReplays: maxReplaysDefault,
    includeTooOld: form.too_old === "yes",
  };
}

async function wholeTopic({ eventLog, deadLetterTopic }: ReplayDeps): Promise<ReplayPlace> {
  const offsets = await eventLog.offsets(deadLetterTopic);
  return {
    startedAt: new Date().toISOString(),
    replayed: 0,
    partitions: offsets.map(({ partition, earliest, next }) => {
      return { partition, next: earliest, to: next };
    }),
  };
}

/** Only what the dry run showed: later dead letters were not confirmed. */
function upTo(place: ReplayPlace, ends: z.infer<typeof endsSchema>): ReplayPlace {
  const known = new Map(ends.map(({ partition, to }) => [partition, to]));
  const partitions = place.partitions.map((range) => {
    return { ...range, to: Math.min(range.to, known.get(range.partition) ?? range.next) };
  });
  return { ...place, partitions };
}

function notFound(site: OpsSite): Response {
  return opsMessagePage(site, {
    status: 404,
    title: "Not found",
    text: "This dead letter is no longer kept, or never existed.",
    href: "/dead-letters",
    button: "Dead letters",
  });
}
