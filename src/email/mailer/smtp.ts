import type { Clock } from "../../core/clock.ts";
import { systemClock } from "../../core/clock.ts";
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

/** The mailer of `EMAIL_MODE=smtp`. Opens no connection before the first message or probe. */
export function openSmtpMailer(options: SmtpMailerOptions): Mailer {
  const { envelopeFrom = options.from } = options;
  let certificateEndsAt: number | undefined;
  const onCertificate = (endsAt: number) => {
    certificateEndsAt = endsAt;
  };
  const client = openSmtpClient({
    ehloName: defaultEhloName(options.from),
    ...options,
    onCertificate,
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
    send: (message, sendOptions) => {
      const content = compose(message, options);
      return client.send({ from: envelopeFrom, to: message.to, content }, sendOptions);
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
