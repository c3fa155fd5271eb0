import type { TraceContext } from "../../core/log.ts";
import { currentTraceContext, runInTraceContext } from "../../core/log.ts";
import type { EmailEvent } from "../event.ts";
import type { RefusalVerdict } from "./server-streak.ts";

/**
 * Sends one message to one recipient and reports the exact outcome.
 *
 * Promises, tested by `tests/contract/mailer.ts` for every adapter:
 * - `send` never throws for failures of a server or the network: each is a `SendOutcome`.
 * - `beforeContentEnds` is called once (again only when an attempt on an exhausted connection was
 *   definitely refused and is repeated on a fresh one), after the server agreed to receive the
 *   content and all of it but the final dot was written. Before it resolves with true the message
 *   cannot be accepted. False or a throw: the connection is closed without the dot, the outcome is
 *   `withheld`. It must settle: `send` resolves only afterwards, so its effects precede those of
 *   the outcome.
 * - `ambiguous` only when the content ended and no reply to it was read; `lost` only before.
 * - `Message-ID` is derived from `messageId` alone, so a resubmission carries the same one.
 * Left out on purpose: retries, several recipients, attachments.
 */
export interface Mailer extends AsyncDisposable {
  /** For display: "smtp.example.com:587", or "inbox (<file>)". */
  readonly address: string;
  /** How many messages are worth sending at the same time. */
  readonly concurrency: number;
  /** When the server's certificate expires, Unix ms, as the newest connection saw it. */
  readonly certificateEndsAt?: number | undefined;
  /** The current limit of mails per second; undefined: no limit. */
  readonly perSecond?: number | undefined;
  /**
   * Whether the server offers SMTPUTF8, which non-ASCII characters before the @ need, according to
   * the newest connection of the last ten minutes; undefined: not known.
   */
  readonly offersUtf8?: boolean | undefined;
  send(message: MailMessage, options: SendOptions): Promise<SendOutcome>;
  /** As `send`, with callbacks instead of promises: for many mails at once. */
  submit(submission: Submission): void;
  /** Connects and logs in as `send` would, and sends nothing. */
  probe(signal?: AbortSignal): Promise<ProbeOutcome>;
  /** Waits for sends in flight (2 s; then they are cut), and ends the connections with QUIT. Idempotent. */
  close(): Promise<void>;
}

export interface MailMessage {
  /** The event's `message_id`. */
  readonly messageId: string;
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  /** May be made when it is read: a mailer that needs none should not read it. */
  readonly html: string;
  /** `text` and `html` once more, for a mailer that encodes their pieces only once. */
  readonly bodies?: MailBodies | undefined;
  /** Extra header fields, ASCII. */
  readonly headers?: Readonly<Record<string, string>>;
  /** What it was rendered from, for a mailer that keeps it instead of the HTML. */
  readonly source?: MailSource;
}

export interface MailBodies {
  readonly text: MailBody;
  readonly html: MailBody;
}

/** A text of fixed pieces, the same array in all mails of a kind, with a value between each two. */
export interface MailBody {
  readonly pieces: readonly string[];
  readonly values: readonly string[];
}

export interface MailSource {
  readonly event: EmailEvent;
  /** Unix ms. */
  readonly renderedAt: number;
  readonly unsubscribeUrl: string | undefined;
}

export interface SendOptions {
  readonly beforeContentEnds: () => Promise<boolean>;
  /**
   * When aborted: resolves with `withheld` if the content has not ended, else waits for the reply.
   */
  readonly signal?: AbortSignal;
  /** Uses a server that is known to be down if no other is up. */
  readonly evenIfDown?: boolean;
}

/** One mail on its way through a mailer, which calls it back, never from within `submit`. */
export interface Submission {
  readonly message: MailMessage;
  /** See `SendOptions`. */
  readonly signal?: AbortSignal | undefined;
  readonly evenIfDown?: boolean | undefined;
  /** Of the lines that are logged about it. */
  readonly trace?: TraceContext | undefined;
  /**
   * The moment of `beforeContentEnds`: the server took all of the content but the final dot. One
   * method of `ending` must be called once, now or later; `settled` follows only then.
   */
  contentTaken(ending: ContentEnding): void;
  /** Called once, as the last. */
  settled(outcome: SendOutcome): void;
}

export interface ContentEnding {
  /** Sends the final dot, unless the mail is lost by now. */
  allow(): void;
  /** Closes the connection without the dot: the outcome is `withheld`. */
  withhold(): void;
}

/** `submit` by means of `send`. */
export function submitBySending(mailer: Pick<Mailer, "send">, submission: Submission): void {
  const { message, signal, evenIfDown } = submission;
  const beforeContentEnds = () =>
    new Promise<boolean>((resolve) => {
      submission.contentTaken({ allow: () => resolve(true), withhold: () => resolve(false) });
    });
  const options = {
    beforeContentEnds,
    ...(signal === undefined ? {} : { signal }),
    ...(evenIfDown === undefined ? {} : { evenIfDown }),
  };
  void mailer.send(message, options).then((outcome) => submission.settled(outcome));
}

/** `send` by means of `submit`. */
export function sendBySubmitting(
  mailer: Pick<Mailer, "submit">,
  message: MailMessage,
  { beforeContentEnds, signal, evenIfDown }: SendOptions,
): Promise<SendOutcome> {
  const trace = currentTraceContext();
  const answer = async (ending: ContentEnding) => {
    let allowed = false;
    try {
      allowed = await beforeContentEnds();
    } catch {
      // The port's contract: a throw withholds. The caller reports the error itself.
    }
    if (allowed) ending.allow();
    else ending.withhold();
  };
  return new Promise((resolve) => {
    const contentTaken = (ending: ContentEnding) => {
      void runInTraceContext(trace, () => answer(ending));
    };
    mailer.submit({ message, signal, evenIfDown, trace, contentTaken, settled: resolve });
  });
}

export type SendOutcome =
  | {
      readonly kind: "accepted";
      readonly host: string;
      readonly reply: string;
      readonly queueId: string | undefined;
    }
  /** 5xx to RCPT or to the content: this message will never be accepted. */
  | RefusedMail
  | DeferredMail
  /**
   * We send too fast: nothing was accepted, the attempt does not count; the mailer has slowed down.
   */
  | ThrottledMail
  | ServerDown
  /** The connection broke (or timed out) after MAIL FROM and before the content ended. */
  | { readonly kind: "lost"; readonly host: string; readonly reason: string }
  /** The content ended and the reply to it was not read, so the result is unknown. */
  | { readonly kind: "ambiguous"; readonly host: string; readonly reason: string }
  /** We gave up before the content ended. */
  | { readonly kind: "withheld" };

/**
 * `confirmation` is set if the refusal may be the server's fault instead of the recipient's: it
 * resolves with the verdict (see `ServerStreak`); until then the refusal must have no effect.
 */
export interface RefusedMail extends SmtpReply {
  readonly kind: "refused";
  readonly host: string;
  readonly stage: "recipient" | "content";
  readonly confirmation?: Promise<RefusalVerdict>;
}

/** 4xx to RCPT or to the content: this message, later. */
interface DeferredMail extends SmtpReply {
  readonly kind: "deferred";
  readonly host: string;
  readonly stage: "recipient" | "content";
  /** The delay that the server's reply asks for, if any. */
  readonly retryAfterMs: number | undefined;
}

interface ThrottledMail extends SmtpReply {
  readonly kind: "throttled";
  readonly host: string;
  readonly retryAfterMs: number | undefined;
}

/** The server is at fault, not the message: nothing was sent, and the attempt does not count. */
export interface ServerDown {
  readonly kind: "server_down";
  readonly cause: ServerDownCause;
  readonly host: string;
  /** A clear sentence for the log and `/readyz`: what failed and the usual fix. */
  readonly reason: string;
  /** Another server is up, so the mail may be sent again at once. */
  readonly another?: boolean;
  /**
   * Set if the reply blames the account but answers one recipient or content: the outcome of the
   * mail if the server turns out to accept others (`MailServer`).
   */
  readonly answer?: RefusedMail | DeferredMail;
}

export type ServerDownCause =
  | "name_not_found"
  | "connect"
  | "timeout"
  | "tls"
  | "certificate"
  | "login"
  | "greeting"
  | "mail_from"
  | "quota" // of the account
  | "account" // not verified, not activated, suspended
  | "relay" // denied
  | "blocked" // this machine's address or name
  | "throttled" // nothing accepted for a while
  | "closing" // 421
  | "system" // 4.3.x, or it defers all recipients
  | "refusing"; // it refuses all recipients

/** A server's reply, sanitized for logs; `reply-table.ts` decides what it means. */
export interface SmtpReply {
  /** 250, 451, 550, … */
  readonly code: number;
  /** RFC 3463: "5.1.1"; undefined when the server gives none. */
  readonly enhancedCode: string | undefined;
  /** The whole reply on one line, at most 500 characters, addresses masked. */
  readonly reply: string;
}

export type ProbeOutcome = { readonly kind: "up"; readonly host: string } | ServerDown;

/**
 * The Message-ID of a mail: `<message_id@domain of the sender>`, so that a resubmission carries the
 * same one and duplicates can be recognised. Dots where RFC 5322 (3.2.3) allows none are written as
 * =2E; an id contains no =, so two ids never share a Message-ID.
 */
export function messageIdHeader(messageId: string, sender: string): string {
  const domain = sender.slice(sender.lastIndexOf("@") + 1);
  const dotAtom = !/^\.|\.\.|\.$/.test(messageId);
  const left = dotAtom ? messageId : messageId.replaceAll(".", "=2E");
  return `<${left}@${domain}>`;
}
