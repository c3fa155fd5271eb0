import { loadConfig } from "../compose/config.ts";
import { withTools } from "../compose/engines.ts";
import type { Environment } from "../core/config.ts";
import { throwProblems } from "../core/config.ts";
import { addressProblem, parseEmailAddress } from "../core/email-address.ts";
import { coreErrors, isInstantError } from "../core/errors.ts";
import { systemClock } from "../core/time.ts";
import { isMessageId } from "../email/event.ts";
import { eventLogErrors } from "../email/event-log/event-log.ts";
import type { MailTimeline, TimelineDeps } from "../email/timeline/timeline.ts";
import {
  findMailsOf,
  findTimeline,
  isSettled,
  stateText,
  stepLine,
  stepsOf,
  summaryLine,
  timelineErrors,
  timelineJson,
  timelineLines,
} from "../email/timeline/timeline.ts";

export interface TraceFlags {
  readonly follow?: boolean;
  readonly json?: boolean;
}

type Query = { readonly messageId: string } | { readonly recipient: string };

const followEveryMs = 300;

/** Exit 0 when a mail was found, 1 when none is known. */
export async function trace(
  environment: Environment,
  argument: string,
  flags: TraceFlags,
): Promise<number> {
  const config = loadConfig(environment);
  const query = parseQuery(argument);
  return withTools(config, async (engines) => {
    const deps: TimelineDeps = {
      ledger: await engines.ledger(),
      recentMails: await engines.recentMails(),
      eventLog: () => engines.eventLog(),
      deadLetterTopic: config.topics.deadLetters,
    };
    if (flags.follow) return follow(deps, query, flags);
    const found = await find(deps, query);
    if (found.length === 0) {
      process.stderr.write(`instant: ${timelineErrors.mailUnknown.meaning}\n`);
      return 1;
    }
    const [only, ...others] = found;
    if (flags.json)
      print("recipient" in query ? found.map(timelineJson) : only && timelineJson(only));
    else if (only !== undefined && others.length === 0) write(timelineLines(only));
    else write([...found.map(summaryLine), "", "instant trace <message_id> shows one of them"]);
    return 0;
  });
}

/** An address has an @, a message_id has none. */
function parseQuery(argument: string): Query {
  const problem = argument.includes("@") ? parseRecipient(argument) : parseMessageId(argument);
  if (typeof problem !== "string") return problem;
  throwProblems([{ name: "what to trace", problem }], coreErrors.usageInvalid);
  throw new Error("a problem was thrown");
}

function parseRecipient(argument: string): Query | string {
  const recipient = parseEmailAddress(argument);
  return recipient === undefined ? addressProblem(argument) : { recipient };
}

function parseMessageId(argument: string): Query | string {
  if (isMessageId(argument)) return { messageId: argument };
  return "must be a message_id (1 to 128 of letters, digits, . _ -) or an e-mail address";
}

async function find(deps: TimelineDeps, query: Query): Promise<readonly MailTimeline[]> {
  if ("recipient" in query) return findMailsOf(deps, query.recipient);
  const found = await findTimeline(deps, query.messageId);
  return found === undefined ? [] : [found];
}

/**
 * Prints each step as it happens: of one mail until it is settled, of a recipient's mails until
 * interrupted. Waits for a mail that is not known yet.
 */
async function follow(deps: TimelineDeps, query: Query, flags: TraceFlags): Promise<number> {
  const stop = new AbortController();
  const onSignal = () => stop.abort();
  process.once("SIGINT", onSignal);
  process.once("SIGTERM", onSignal);
  const printed = new Map<string, string>();
  while (!stop.signal.aborted) {
    const found = await findSoFar(deps, query);
    for (const mail of found.toReversed()) printNews(mail, printed, flags);
    const [mail] = found;
    if ("messageId" in query && mail !== undefined && isSettled(mail)) {
      if (!flags.json) write(["", ...timelineLines(mail)]);
      return 0;
    }
    await systemClock.sleep(followEveryMs, stop.signal);
  }
  return printed.size > 0 ? 0 : 1;
}

/** While the dead letters cannot be read, a mail that only they contain counts as not known yet. */
async function findSoFar(deps: TimelineDeps, query: Query): Promise<readonly MailTimeline[]> {
  try {
    return await find(deps, query);
  } catch (error) {
    const isLogUnavailable =
      isInstantError(error, eventLogErrors.logUnavailable) ||
      isInstantError(error, coreErrors.deadlineExceeded);
    if (!isLogUnavailable) throw error;
    return [];
  }
}

/** `printed`: the last printed step of each mail. Beyond 20 steps only the newest are kept. */
function printNews(mail: MailTimeline, printed: Map<string, string>, flags: TraceFlags): void {
  const { messageId, record } = mail;
  const steps = record === undefined ? [] : stepsOf(record);
  const last = printed.get(messageId);
  const keys = steps.map((step) => JSON.stringify([step.at, step.state, step.fence, step.note]));
  const fresh = last === undefined ? steps : steps.slice(keys.lastIndexOf(last) + 1);
  if (last === undefined && steps.length === 0) {
    if (flags.json) print(timelineJson(mail));
    else write([`${messageId}  ${stateText(mail)}`]);
  }
  for (const step of fresh) {
    const at = new Date(step.at).toISOString();
    if (flags.json) print({ message_id: messageId, ...step, at });
    else write([`${messageId}  ${stepLine(step)}`]);
  }
  printed.set(messageId, keys.at(-1) ?? "");
}

function print(json: unknown): void {
  process.stdout.write(`${JSON.stringify(json)}\n`);
}

function write(lines: readonly string[]): void {
  process.stdout.write(`${lines.join("\n")}\n`);
}
