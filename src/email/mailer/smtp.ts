import type { Clock } from "../../core/clock.ts";
import { systemClock } from "../../core/clock.ts";
import { parseMailbox } from "../../core/email-address.ts";
import { openSmtpClient } from "../../core/smtp/client.ts";
import { defaultEhloName } from "../../core/smtp/ehlo-name.ts";
import { composeMime } from "../../core/smtp/mime.ts";
import type { SmtpOptions } from "../../core/smtp/options.ts";
import type { Mailer, MailMessage } from "./mailer.ts";
import { messageIdHeader } from "./message-id.ts";

export interface SmtpMailerOptions extends SmtpOptions {
  readonly from: string;
  readonly fromName?: string | undefined;
  /** The sender in the envelope (default: `from`). */
  readonly envelopeFrom?: string | undefined;
  /** The name of a header field that carries the `message_id`, for the provider. */
  readonly idempotencyHeader?: string | undefined;
  /** Whose domain ends each Message-ID (default: `from`). */
  readonly messageIdFrom?: string | undefined;
  /** For the Date header only. */
  readonly clock?: Clock;
}

/** A server may learn it; until then a person is not turned away for what it once said. */
const utf8MemoryMs = 10 * 60_000;

/** The mailer of `EMAIL_MODE=smtp`. Opens no connection before the first message or probe. */
export function openSmtpMailer(options: SmtpMailerOptions): Mailer {
  const { envelopeFrom = options.from, clock = systemClock } = options;
  let certificateEndsAt: number | undefined;
  const onCertificate = (endsAt: number) => {
    certificateEndsAt = endsAt;
  };
  let heard: { readonly offersUtf8: boolean; readonly at: number } | undefined;
  const onUtf8 = (offersUtf8: boolean) => {
    heard = { offersUtf8, at: clock.now() };
  };
  const client = openSmtpClient({
    ehloName: defaultEhloName(options.from),
    ...options,
    onCertificate,
    onUtf8,
  });
  const mailer: Mailer = {
    address: `${options.host}:${options.port}`,
    concurrency: options.connections,
    get certificateEndsAt() {
      return certificateEndsAt;
    },
    get perSecond() {
      return client.perSecond;
    },
    get offersUtf8() {
      const isFresh = heard !== undefined && clock.now() - heard.at < utf8MemoryMs;
      return isFresh ? heard?.offersUtf8 : undefined;
    },
    send: (message, sendOptions) => {
      const to = parseMailbox(message.to) ?? message.to; // its domain in ASCII needs no SMTPUTF8
      const content = compose({ ...message, to }, options);
      return client.send({ from: envelopeFrom, to, content }, sendOptions);
    },
    probe: (signal) => client.probe(signal),
    close: () => client.close(),
    [Symbol.asyncDispose]: () => client.close(),
  };
  return mailer;
}

function compose(message: MailMessage, options: SmtpMailerOptions): Buffer {
  const { from, fromName, idempotencyHeader, clock = systemClock } = options;
  const { messageIdFrom = from } = options;
  const key = idempotencyHeader === undefined ? {} : { [idempotencyHeader]: message.messageId };
  return composeMime({
    from: { address: from, name: fromName },
    to: message.to,
    subject: message.subject,
    messageId: messageIdHeader(message.messageId, messageIdFrom),
    date: new Date(clock.now()),
    text: message.text,
    html: message.html,
    headers: { ...message.headers, ...key },
  });
}
