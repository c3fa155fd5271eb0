import { isAscii, parseMailbox } from "../../../core/email-address.ts";
import type { Clock } from "../../../core/time.ts";
import { systemClock } from "../../../core/time.ts";
import type {
  ContentEnding,
  Mailer,
  MailMessage,
  ProbeOutcome,
  SendOptions,
  SendOutcome,
  Submission,
} from "../mailer.ts";
import { messageIdHeader, sendBySubmitting } from "../mailer.ts";
import { serverDown } from "./classify.ts";
import type { SmtpSubmission } from "./config.ts";
import { defaultEhloName } from "./config.ts";
import type { CarriedMail, SmtpConnection } from "./connection.ts";
import type { MimeMessage } from "./mime.ts";
import { composeMime, signDkim } from "./mime.ts";
import type { Waiting } from "./pool.ts";
import { ConnectionPool } from "./pool.ts";
import { SendRate } from "./rate.ts";
import { stuffed } from "./wire.ts";

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
 * A message waits for a connection (`ConnectionPool`), and for its turn if the rate is limited
 * (`SendRate`); `SmtpConnection` takes it through the dialogue. A kept-open connection that turns out
 * dead before MAIL FROM is answered, that refuses us, or whose reply says that the session is
 * exhausted, is silently replaced once by a fresh one; `contentTaken` is called again only after the
 * server's definite refusal.
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
    this.#rate = new SendRate(this.#options, systemClock);
    const onOpened = ({ limits: { offersUtf8 } }: SmtpConnection) => {
      this.#heard = { offersUtf8, at: clock.now() };
    };
    this.#pool = new ConnectionPool({ idleMsMax, ...this.#options, onOpened }, this.#rate);
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

  send(message: MailMessage, options: SendOptions): Promise<SendOutcome> {
    return sendBySubmitting(this, message, options);
  }

  submit(submission: Submission): void {
    const { message } = submission;
    const { from, envelopeFrom = from, dkim } = this.#options;
    const to = parseMailbox(message.to); // its domain in ASCII needs no SMTPUTF8
    if (to === undefined) throw new Error("not an address to send to");
    const content = this.#compose(message, to, dkim === undefined);
    const mail = new SmtpMail(submission, { from: envelopeFrom, to }, this.#pool, this.#rate);
    if (dkim === undefined) mail.composed(content);
    else void signDkim(content, dkim).then((signed) => mail.composed(stuffed(signed)));
    this.#pool.add(mail);
  }

  /** The connection is kept for the next message. */
  probe(signal?: AbortSignal): Promise<ProbeOutcome> {
    return new Promise((resolve) => {
      const onEnded = (outcome: SendOutcome | undefined) => {
        if (outcome === undefined) resolve({ kind: "up", host: this.#options.host });
        else if (outcome.kind === "server_down") resolve(outcome);
        else resolve(serverDown("timeout", this.#options, "the probe was given up"));
      };
      this.#pool.add(new Probe(signal, this.#pool, onEnded));
    });
  }

  close(): Promise<void> {
    return this.#pool.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#pool.close();
  }

  #compose(message: MailMessage, to: string, dotStuffed: boolean): Buffer {
    const { from, fromName, messageIdFrom = from, idempotencyHeader } = this.#options;
    const key = idempotencyHeader === undefined ? {} : { [idempotencyHeader]: message.messageId };
    return composeMime({
      from: { address: from, name: fromName },
      to,
      subject: message.subject,
      messageId: messageIdHeader(message.messageId, messageIdFrom),
      date: new Date(this.#clock.now()),
      ...bodiesOf(message),
      dotStuffed,
      headers: { ...message.headers, ...key },
    });
  }
}

/** Reads no more of them than is needed: they may be made when they are read. */
function bodiesOf(message: MailMessage): Pick<MimeMessage, "text" | "html" | "bodies"> {
  const { bodies } = message;
  if (bodies !== undefined) return { text: "", html: "", bodies };
  return { text: message.text, html: message.html };
}

/**
 * One mail on its way through the client.
 *
 * Waiting: in the pool's queue. Carried: on a connection, which asks (`taken`) once the server has
 * all of the content but the dot. Asked: the submission has not answered; whatever happens in the
 * meantime, its outcome waits for the answer. Settled.
 */
class SmtpMail implements CarriedMail, Waiting, ContentEnding {
  readonly from: string;
  readonly to: string;
  readonly signal: AbortSignal | undefined;
  readonly isAscii: boolean;
  isRepeat = false;
  mayFollow = true;
  hasTurn = false;
  readonly #submission: Submission;
  readonly #pool: ConnectionPool;
  readonly #rate: SendRate;
  #content: Buffer | undefined;
  #connection: SmtpConnection | undefined;
  #isAsked = false;
  #early: { readonly outcome: SendOutcome; readonly repeats: boolean } | undefined;

  constructor(
    submission: Submission,
    { from, to }: { readonly from: string; readonly to: string },
    pool: ConnectionPool,
    rate: SendRate,
  ) {
    this.to = to;
    this.from = from;
    this.signal = submission.signal;
    this.isAscii = isAscii(to) && isAscii(from);
    this.#submission = submission;
    this.#pool = pool;
    this.#rate = rate;
  }

  get needsFresh(): boolean {
    return this.isRepeat;
  }

  get mail(): CarriedMail {
    return this;
  }

  composed(content: Buffer): void {
    this.#content = content;
    this.#connection?.contentReady(this);
  }

  start(connection: SmtpConnection, isFresh: boolean): void {
    connection.carry(this, isFresh);
  }

  contentFor(connection: SmtpConnection): Buffer | undefined {
    this.#connection = connection;
    return this.#content;
  }

  taken(): void {
    this.#isAsked = true;
    this.#submission.contentTaken(this);
  }

  allow(): void {
    if (!this.#isAsked) return;
    this.#isAsked = false;
    const early = this.#early;
    if (early === undefined) this.#connection?.endContent();
    else this.ended(early.outcome, early.repeats);
  }

  withhold(): void {
    if (!this.#isAsked) return;
    this.#isAsked = false;
    const early = this.#early;
    if (early === undefined) this.#connection?.withhold();
    else this.ended(early.repeats ? { kind: "withheld" } : early.outcome, false);
  }

  displaced(): void {
    this.mayFollow = false;
    if (!this.#pool.repeat(this)) this.ended({ kind: "withheld" }, false);
  }

  ended(outcome: SendOutcome, repeats: boolean): void {
    this.#connection = undefined;
    this.#early = this.#isAsked ? { outcome, repeats } : undefined;
    if (this.#isAsked) return;
    if (repeats) {
      this.isRepeat = true;
      this.mayFollow = false;
      if (this.#pool.repeat(this)) return;
    }
    this.#pool.done(this);
    this.#submission.settled(this.#rate.observe(outcome));
  }
}

/** Needs a connection that was just opened, and carries nothing. */
class Probe implements Waiting {
  readonly needsFresh = true;
  readonly mayFollow = false;
  readonly hasTurn = true;
  readonly mail = undefined;
  readonly signal: AbortSignal | undefined;
  readonly #pool: ConnectionPool;
  readonly #onEnded: (outcome: SendOutcome | undefined) => void;

  constructor(
    signal: AbortSignal | undefined,
    pool: ConnectionPool,
    onEnded: (outcome: SendOutcome | undefined) => void,
  ) {
    this.signal = signal;
    this.#pool = pool;
    this.#onEnded = onEnded;
  }

  start(connection: SmtpConnection): void {
    this.#pool.freed(connection);
    this.#pool.done(this);
    this.#onEnded(undefined);
  }

  ended(outcome: SendOutcome): void {
    this.#pool.done(this);
    this.#onEnded(outcome);
  }
}
