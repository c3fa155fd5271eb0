import { parseMailbox } from "../../../core/email-address.ts";
import type { Clock } from "../../../core/time.ts";
import { systemClock } from "../../../core/time.ts";
import type {
  Mailer,
  MailMessage,
  ProbeOutcome,
  SendOptions,
  SendOutcome,
  Submission,
} from "../mailer.ts";
import { messageIdHeader, submitBySending } from "../mailer.ts";
import { serverDown } from "./classify.ts";
import type { SmtpSubmission } from "./config.ts";
import { defaultEhloName } from "./config.ts";
import { SmtpConnection } from "./connection.ts";
import { composeMime, signDkim } from "./mime.ts";
import { ConnectionPool, SendRate } from "./pool.ts";
import type { SentMessage } from "./transmission.ts";

export interface SmtpMailerOptions extends SmtpSubmission {
  /** For the Date header, and how long `offersUtf8` is known. */
  readonly clock?: Clock;
}

/** The mailer of `EMAIL_MODE=smtp`. Opens no connection before the first message or probe. */
export function openSmtpMailer(options: SmtpMailerOptions): Mailer {
  return new SmtpMailer(options);
}

const idleMsMax = 20_000; // shorter than servers and firewalls keep silent connections

/**
 * Expires, because a server may gain the feature: until it is known again, no mail is refused for
 * it.
 */
const utf8MemoryMs = 10 * 60_000;

/**
 * Sends messages to one server over kept-open connections.
 *
 * A message waits for a free connection (`ConnectionPool`), and for its turn if the rate is limited
 * (`SendRate`). A kept-open connection that turns out dead before MAIL FROM is answered, that
 * refuses us, or whose reply says that the session is exhausted, is silently replaced once by a
 * fresh one; `beforeContentEnds` is called again only after the server's definite refusal.
 */
class SmtpMailer implements Mailer {
  readonly address: string;
  readonly concurrency: number;
  readonly #options: SmtpMailerOptions;
  readonly #clock: Clock;
  readonly #pool: ConnectionPool;
  readonly #rate: SendRate;
  #certificateEndsAt: number | undefined;
  #heard: { readonly offersUtf8: boolean; readonly at: number } | undefined;

  constructor(options: SmtpMailerOptions) {
    const { host, port, connections, from, clock = systemClock } = options;
    this.address = `${host}:${port}`;
    this.concurrency = connections;
    this.#clock = clock;
    this.#options = {
      ehloName: defaultEhloName(from),
      ...options,
      onCertificate: (endsAt) => {
        this.#certificateEndsAt = endsAt;
      },
    };
    this.#pool = new ConnectionPool({ connections, idleMsMax: options.idleMsMax ?? idleMsMax });
    this.#rate = new SendRate(this.#options, systemClock);
  }

  get certificateEndsAt(): number | undefined {
    return this.#certificateEndsAt;
  }

  get perSecond(): number | undefined {
    return this.#rate.perSecond;
  }

  get offersUtf8(): boolean | undefined {
    const heard = this.#heard;
    const isFresh = heard !== undefined && this.#clock.now() - heard.at < utf8MemoryMs;
    return isFresh ? heard.offersUtf8 : undefined;
  }

  async send(message: MailMessage, options: SendOptions): Promise<SendOutcome> {
    const { from, envelopeFrom = from, dkim } = this.#options;
    const to = parseMailbox(message.to) ?? message.to; // its domain in ASCII needs no SMTPUTF8
    const unsigned = this.#compose({ ...message, to });
    if (!(await this.#pool.takeSlot(options.signal))) return { kind: "withheld" };
    let connection: SmtpConnection | undefined;
    try {
      if (!(await this.#rate.take(options.signal))) return { kind: "withheld" };
      const content = dkim === undefined ? unsigned : await signDkim(unsigned, dkim);
      connection = this.#pool.takeIdle(to);
      for (let isRepeat = false; ; isRepeat = true) {
        const reused = connection !== undefined;
        if (connection === undefined) {
          const opened = await this.#connect(options.signal);
          if (!(opened instanceof SmtpConnection)) return opened;
          connection = opened;
        }
        this.#pool.carry(connection);
        const sent = await connection.send({ from: envelopeFrom, to, content }, options);
        if (isRepeat || !mayRepeat(sent, reused)) return this.#rate.observe(sent.outcome);
        await connection.quit(); // only then another one may open
        this.#pool.drop(connection);
        connection = undefined;
      }
    } finally {
      this.#pool.giveBack(connection);
    }
  }

  submit(submission: Submission): void {
    submitBySending(this, submission);
  }

  /** The connection is kept for the next message. */
  async probe(signal?: AbortSignal): Promise<ProbeOutcome> {
    const givenUp = serverDown("timeout", this.#options, "the probe was given up");
    if (!(await this.#pool.takeSlot(signal))) return givenUp;
    const opened = await this.#connect(signal);
    const connection = opened instanceof SmtpConnection ? opened : undefined;
    this.#pool.giveBack(connection);
    if (opened instanceof SmtpConnection) return { kind: "up", host: this.#options.host };
    return opened.kind === "withheld" ? givenUp : opened;
  }

  close(): Promise<void> {
    return this.#pool.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#pool.close();
  }

  /** The caller has a slot. */
  async #connect(signal: AbortSignal | undefined) {
    await this.#pool.evictIdle();
    const opened = await SmtpConnection.open(this.#options, signal);
    if (opened instanceof SmtpConnection) {
      this.#heard = { offersUtf8: opened.offersUtf8, at: this.#clock.now() };
    }
    return opened;
  }

  #compose(message: MailMessage): Buffer {
    const { from, fromName, messageIdFrom = from, idempotencyHeader } = this.#options;
    const key = idempotencyHeader === undefined ? {} : { [idempotencyHeader]: message.messageId };
    return composeMime({
      from: { address: from, name: fromName },
      to: message.to,
      subject: message.subject,
      messageId: messageIdHeader(message.messageId, messageIdFrom),
      date: new Date(this.#clock.now()),
      text: message.text,
      html: message.html,
      headers: { ...message.headers, ...key },
    });
  }
}

/**
 * Whether to retry on a fresh connection, without counting the attempt: a kept-open one was dead or
 * refused us (the fresh one shows whether that applies to all), or a temporary reply was about the
 * session. In each case nothing was accepted.
 */
function mayRepeat(sent: SentMessage, reused: boolean): boolean {
  const { outcome, begun, sessionExhausted = false } = sent;
  switch (outcome.kind) {
    case "lost":
      return reused && !begun;
    case "server_down":
      return reused || sessionExhausted;
    case "deferred":
    case "throttled":
      return (reused && !begun) || sessionExhausted;
    default:
      return false;
  }
}
