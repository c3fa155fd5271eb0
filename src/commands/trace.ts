import { loadConfig } from "../compose/config.ts";
import { withTools } from "../compose/engines.ts";
import type { Environment } from "../core/config.ts";
import { throwProblems } from "../core/config.ts";
import { emailAddressBound, parseEmailAddress } from "../core/email-address.ts";
import { coreErrors, isInstantError } from "../core/errors.ts";
import { systemClock } from "../core/time.ts";
import { isMessageId } from "../email/event.ts";
import { eventLogErrors } from "../email/event-log/event-log.ts";
import type { MailTrace, TraceDeps } from "../email/timeline/timeline.ts";
import {
  findMailsOf,
  findTrace,
  isSettled,
  stateWords,
  stepLine,
  stepsOf,
  summaryLine,
  traceErrors,
  traceJson,
  traceLines,
} from "../email/timeline/timeline.ts";

export interface TraceFlags {
  readonly follow?: boolean;
  readonly json?: boolean;
}

type Sought = { readonly messageId: string } | { readonly recipient: string };

const followEveryMs = 300;

/** Exit 0 when a mail was found, 1 when none is known. */
export async function trace(
  environment: Environment,
  what: string,
  flags: TraceFlags,
): Promise<number> {
  const config = loadConfig(environment);
  const sought = parseSought(what);
  return withTools(config, async (engines) => {
    const deps: TraceDeps = {
      ledger: await engines.ledger(),
      recentMails: await engines.recentMails(),
      eventLog: () => engines.eventLog(),
      deadLetterTopic: config.topics.deadLetters,
    };
    if (flags.follow) return follow(deps, sought, flags);
    const found = await find(deps, sought);
    if (found.length === 0) {
      process.stderr.write(`instant: ${traceErrors.mailUnknown.meaning}\n`);
      return 1;
    }
    const [only, ...others] = found;
    if (flags.json) print("recipient" in sought ? found.map(traceJson) : only && traceJson(only));
    else if (only !== undefined && others.length === 0) write(traceLines(only));
    else write([...found.map(summaryLine), "", "instant trace <message_id> shows one of them"]);
    return 0;
  });
}

/** An address has an @, a message_id has none. */
function parseSought(what: string): Sought {
  const problem = what.includes("@") ? parseRecipient(what) : parseMessageId(what);
  if (typeof problem !== "string") return problem;
  throwProblems([{ name: "what to trace", problem }], coreErrors.usageInvalid);
  throw new Error("a problem was thrown");
}

function parseRecipient(what: string): Sought | string {
  const recipient = parseEmailAddress(what);
  return recipient === undefined ? `must be ${emailAddressBound}` : { recipient };
}

function parseMessageId(what: string): Sought | string {
  if (isMessageId(what)) return { messageId: what };
  return "must be a message_id (1 to 128 of letters, digits, . _ -) or an e-mail address";
}

async function find(deps: TraceDeps, sought: Sought): Promise<readonly MailTrace[]> {
  if ("recipient" in sought) return findMailsOf(deps, sought.recipient);
  const found = await findTrace(deps, sought.messageId);
  return found === undefined ? [] : [found];
}

/**
 * Prints each step as it comes: of one mail until it is settled, of a recipient's mails until it is
 * interrupted. A mail that is not known yet is waited for.
 */
async function follow(deps: TraceDeps, sought: Sought, flags: TraceFlags): Promise<number> {
  const stop = new AbortController();
  const onSignal = () => stop.abort();
  process.once("SIGINT", onSignal);
  process.once("SIGTERM", onSignal);
  const printed = new Map<string, string>();
  while (!stop.signal.aborted) {
    const found = await findSoFar(deps, sought);
    for (const mail of found.toReversed()) printNews(mail, printed, flags);
    const [mail] = found;
    if ("messageId" in sought && mail !== undefined && isSettled(mail)) {
      if (!flags.json) write(["", ...traceLines(mail)]);
      return 0;
    }
    await systemClock.sleep(followEveryMs, stop.signal);
  }
  return printed.size > 0 ? 0 : 1;
}

/** A mail that only a dead letter could tell of is not known yet while they cannot be asked. */
async function findSoFar(deps: TraceDeps, sought: Sought): Promise<readonly MailTrace[]> {
  try {
    return await find(deps, sought);
  } catch (error) {
    const isLogAway =
      isInstantError(error, eventLogErrors.logUnavailable) ||
      isInstantError(error, coreErrors.deadlineExceeded);
    if (!isLogAway) throw error;
    return [];
  }
}

/** `printed`: the last step of each mail that was printed. Beyond 20 steps only the newest are kept. */
function printNews(mail: MailTrace, printed: Map<string, string>, flags: TraceFlags): void {
  const { messageId, record } = mail;
  const steps = record === undefined ? [] : stepsOf(record);
  const last = printed.get(messageId);
  const keys = steps.map((step) => JSON.stringify([step.at, step.state, step.fence, step.note]));
  const fresh = last === undefined ? steps : steps.slice(keys.lastIndexOf(last) + 1);
  if (last === undefined && steps.length === 0) {
    if (flags.json) print(traceJson(mail));
    else write([`${messageId}  ${stateWords(mail)}`]);
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
