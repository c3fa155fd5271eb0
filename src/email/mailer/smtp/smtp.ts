import { parseMailbox } from "../../../core/email-address.ts";
import type { Clock } from "../../../core/time.ts";
import { systemClock } from "../../../core/time.ts";
import type { Mailer, MailMessage } from "../mailer.ts";
import { messageIdHeader } from "../mailer.ts";
import type { SmtpOptions } from "./config.ts";
import { SmtpConnection } from "./connection.ts";
import { signDkim } from "./dkim.ts";
import { composeMime } from "./mime.ts";
import type { SmtpOutcome, SmtpProbeOutcome } from "./outcome.ts";
import { serverDown } from "./outcome.ts";
import { ConnectionPool } from "./pool.ts";
import { SendRate } from "./send-rate.ts";
import { defaultEhloName } from "./server-urls.ts";
import type { SentMessage, SmtpMessage, SmtpSendOptions } from "./transmission.ts";

const idleMsMax = 20_000; // shorter than servers and firewalls keep silent connections

/** Sends messages to one server over kept-open connections. */
export interface SmtpClient extends AsyncDisposable {
  /**
   * Hands over one message; never throws for what the server or the network does. Waits for a free
   * connection, and for its turn where the rate is limited. A kept-open connection that turns out
   * dead before MAIL FROM is answered, or that turns us away, and one whose reply says that the
   * session is spent, is replaced once by a fresh one, silently; `beforeContentEnds` is asked again
   * only after the server's definite refusal. An aborted signal: `withheld`, unless the content has
   * ended.
   */
  send(message: SmtpMessage, options: SmtpSendOptions): Promise<SmtpOutcome>;
  /** Mails a second that go out at most now (see `SendRate`); undefined: no limit. */
  readonly perSecond: number | undefined;
  /** Opens a fresh connection, logs in, and keeps it for the next message. */
  probe(signal?: AbortSignal): Promise<SmtpProbeOutcome>;
  /** Waits for messages on their way, then says QUIT on every connection. Idempotent. */
  close(): Promise<void>;
}

export function openSmtpClient(options: SmtpOptions): SmtpClient {
  const pool = new ConnectionPool({
    connections: options.connections,
    idleMsMax: options.idleMsMax ?? idleMsMax,
  });
  const rate = new SendRate(options, systemClock);
  const client: SmtpClient = {
    send: async (message, sendOptions) => {
      if (!(await pool.takeSlot(sendOptions.signal))) return { kind: "withheld" };
      if (!(await rate.take(sendOptions.signal))) {
        pool.giveBack(undefined);
        return { kind: "withheld" };
      }
      return rate.note(await sendInSlot(pool, options, message, sendOptions));
    },
    get perSecond() {
      return rate.perSecond;
    },
    probe: async (signal) => {
      const free = await pool.takeSlot(signal);
      const outcome = free
        ? await probeInSlot(pool, options, signal)
        : { kind: "withheld" as const };
      return outcome.kind === "withheld"
        ? serverDown("timeout", options, "the probe was given up")
        : outcome;
    },
    close: () => pool.close(),
    [Symbol.asyncDispose]: () => pool.close(),
  };
  return client;
}

async function sendInSlot(
  pool: ConnectionPool,
  options: SmtpOptions,
  unsigned: SmtpMessage,
  sendOptions: SmtpSendOptions,
): Promise<SmtpOutcome> {
  let connection: SmtpConnection | undefined;
  try {
    const message = await signed(unsigned, options);
    connection = pool.takeIdle(message.to);
    for (let isRepeat = false; ; isRepeat = true) {
      const kept = connection !== undefined;
      if (connection === undefined) {
        await pool.makeRoom();
        const opened = await SmtpConnection.open(options, sendOptions.signal);
        if (!(opened instanceof SmtpConnection)) return opened;
        connection = opened;
      }
      pool.carry(connection);
      const sent = await connection.send(message, sendOptions);
      if (isRepeat || !mayRepeat(sent, kept)) return sent.outcome;
      await connection.quit(); // only then another one may open
      pool.drop(connection);
      connection = undefined;
    }
  } finally {
    pool.giveBack(connection);
  }
}

async function signed(message: SmtpMessage, { dkim }: SmtpOptions): Promise<SmtpMessage> {
  if (dkim === undefined) return message;
  return { ...message, content: await signDkim(message.content, dkim) };
}

/**
 * Whether a fresh connection may do better, so that this try does not count: a kept-open one was
 * dead, or turned us away (the fresh one tells whether that is meant for everybody); or a temporary
 * reply was about the session. Each is a definite end: nothing was accepted.
 */
function mayRepeat({ outcome, begun, sessionSpent = false }: SentMessage, kept: boolean): boolean {
  switch (outcome.kind) {
    case "lost":
      return kept && !begun;
    case "server_down":
      return kept || sessionSpent;
    case "deferred":
    case "throttled":
      return (kept && !begun) || sessionSpent;
    default:
      return false;
  }
}

async function probeInSlot(
  pool: ConnectionPool,
  options: SmtpOptions,
  signal: AbortSignal | undefined,
): Promise<SmtpProbeOutcome | { readonly kind: "withheld" }> {
  await pool.makeRoom();
  const opened = await SmtpConnection.open(options, signal);
  const connection = opened instanceof SmtpConnection ? opened : undefined;
  pool.giveBack(connection);
  return opened instanceof SmtpConnection ? { kind: "up", host: options.host } : opened;
}

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
