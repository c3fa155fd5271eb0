import type { Hono } from "hono";
import { z } from "zod";
import type { HttpContext, HttpEnvironment } from "../../core/http/environment.ts";
import { findDeadLetterAt, findDeadLetters } from "../dead-letters/dead-letter.ts";
import type { ReplayDeps } from "../dead-letters/replay.ts";
import { planReplay } from "../dead-letters/replay.ts";
import type { ReplayPlace, ReplaySelection } from "../dead-letters/replay-plan.ts";
import { maxReplaysDefault, replayTotal } from "../dead-letters/replay-plan.ts";
import type { DeadLetterClass } from "../delivery/outcome.ts";
import { deadLetterClasses } from "../delivery/outcome.ts";
import { isMessageId } from "../event.ts";
import { deadLetterPage, deadLettersPage } from "./dead-letters-page.tsx";
import type { OpsSite } from "./ops-page.tsx";
import { opsMessagePage } from "./ops-page.tsx";
import type { ReplayJob } from "./replay.tsx";
import { planPage, progressPage } from "./replay.tsx";

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
