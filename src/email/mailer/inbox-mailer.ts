import type { Clock } from "../../core/clock.ts";
import { systemClock } from "../../core/clock.ts";
import { errorMessage } from "../../core/errors.ts";
import type { Log } from "../../core/log.ts";
import { maskEmail } from "../../core/log.ts";
import type { SqliteDatabase } from "../../core/sqlite/database.ts";
import { openInbox } from "./inbox.ts";
import type { Inbox } from "./kept-mails.ts";
import type { Mailer, MailMessage, SendOptions, SendOutcome } from "./mailer.ts";
import { messageIdHeader } from "./message-id.ts";

export interface InboxMailerOptions {
  readonly database: SqliteDatabase;
  readonly clock?: Clock;
  /** The sender, for the Message-ID (default `senderDefault`). */
  readonly from?: string | undefined;
  /** Set: each mail's text is logged, codes included. Leave it out in production. */
  readonly log?: Log | undefined;
}

/** Who mails are from where no SMTP_FROM says it. */
export const senderDefault = "noreply@localhost";
const host = "inbox";
const concurrency = 100; // they share a transaction

/**
 * The mailer of `EMAIL_MODE=log`: nothing leaves the machine, each message becomes a row of the
 * inbox. Two sends of one message are two rows, as they would be two mails.
 */
export async function openInboxMailer(options: InboxMailerOptions): Promise<Mailer> {
  const inbox = await openInbox(options);
  const inFlight = new Set<Promise<SendOutcome>>();
  const close = async () => {
    await Promise.allSettled(inFlight);
  };
  return {
    address: `inbox (${options.database.path})`,
    concurrency,
    send: (message, sendOptions) => {
      const sending = keep(inbox, options, message, sendOptions);
      inFlight.add(sending);
      return sending.finally(() => inFlight.delete(sending));
    },
    probe: async () => ({ kind: "up", host }),
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function keep(
  inbox: Inbox,
  { clock = systemClock, from = senderDefault, log }: InboxMailerOptions,
  message: MailMessage,
  { beforeContentEnds, signal }: SendOptions,
): Promise<SendOutcome> {
  const aborted = () => signal?.aborted === true;
  if (aborted() || !(await isAllowed(beforeContentEnds)) || aborted()) return { kind: "withheld" };
  const { messageId, to, subject, text, html } = message;
  const headers = { "Message-ID": messageIdHeader(messageId, from), ...message.headers };
  try {
    const receivedAt = clock.now();
    const { id } = await inbox.add({ messageId, to, subject, text, html, headers, receivedAt });
    log?.info(
      { messageID: messageId, to: maskEmail(to), subject, text },
      "Email kept in the inbox",
    );
    return { kind: "accepted", host, reply: `250 2.0.0 kept as ${id}`, queueId: String(id) };
  } catch (error) {
    // The transaction was not committed, so the message was certainly not kept.
    const reason = `The inbox could not be written: ${errorMessage(error)}`;
    return { kind: "server_down", cause: "system", host, reason };
  }
}

async function isAllowed(beforeContentEnds: () => Promise<boolean>): Promise<boolean> {
  try {
    return await beforeContentEnds();
  } catch {
    return false; // the port's rule; the caller has its own words for what went wrong
  }
}
