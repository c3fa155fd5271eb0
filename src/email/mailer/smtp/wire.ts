// A session as lines: what is written to the server, its replies in order, and its limits.
import type { Socket } from "node:net";
import type SMTPConnection from "nodemailer/lib/smtp-connection";
import { domainOf } from "../../../core/email-address.ts";
import type { SmtpFailure } from "./classify.ts";
import { readFailure } from "./classify.ts";
import type { SmtpOptions } from "./config.ts";
import { replyBytesMax } from "./session.ts";
import type { Transcript } from "./transcript.ts";
import { createTranscript } from "./transcript.ts";

/** What a reply answers. "dot": the whole content; "empty": one without a recipient. */
export type Step = "RSET" | "MAIL FROM" | "RCPT TO" | "DATA" | "dot" | "empty" | "QUIT";

interface WireUser {
  /** `step` undefined: nothing was asked. */
  answered(step: Step | undefined, reply: string): void;
  /** By either side, once; also within `close`. */
  closed(failure: SmtpFailure): void;
}

/**
 * The socket of a session after its login. Replies are matched with what they answer in order.
 * nodemailer only reports that the connection broke, and closes it. Closed: nothing is written any
 * more, and what is still read counts for nothing.
 */
export class SmtpWire {
  readonly #session: SMTPConnection;
  readonly #socket: Socket;
  readonly #user: WireUser;
  readonly #transcript: Transcript | undefined;
  readonly #replies = new ReplyReader();
  readonly #awaited: Step[] = [];
  #error: unknown = new Error("the connection was closed");

  constructor(session: SMTPConnection, options: SmtpOptions, user: WireUser) {
    const socket = session._socket as Socket;
    this.#session = session;
    this.#socket = socket;
    this.#user = user;
    this.#transcript = createTranscript(options);
    socket.setTimeout(0); // each wait has a deadline of its own, and an idle session has another
    socket.removeAllListeners("data");
    socket.on("data", (bytes: Buffer) => this.#read(bytes));
    session.on("error", (error) => {
      this.#error = error;
    });
    session.once("end", () => this.#onEnd());
  }

  get isClosed(): boolean {
    return this.#session.destroyed;
  }

  /** Whether the server owes no reply. */
  get isInStep(): boolean {
    return this.#awaited.length === 0;
  }

  /** The bytes of a command, which the caller writes: its reply is awaited from now on. */
  command(step: Step, line: string): string {
    this.#awaited.push(step);
    this.#transcript?.client(line);
    return `${line}\r\n`;
  }

  write(commands: string): void {
    this.#socket.write(commands, "utf8");
  }

  /** Dots are doubled by now. `onTaken` is called when the kernel has it all; if the connection breaks, perhaps with an error. */
  writeContent(content: Buffer, onTaken: (error?: Error | null) => void): void {
    this.#transcript?.content(content);
    this.#socket.write(content, onTaken);
  }

  close(): void {
    this.#session.close();
  }

  #read(bytes: Buffer): void {
    this.#replies.push(bytes);
    for (let reply = this.#replies.take(); reply !== undefined; reply = this.#replies.take()) {
      this.#transcript?.server(reply);
      this.#user.answered(this.#awaited.shift(), reply);
      if (this.isClosed) return;
    }
    if (!this.#replies.isTooLong) return;
    this.#error = new Error("the server's reply is too long");
    this.close();
  }

  #onEnd(): void {
    const failure = readFailure(this.#error);
    // The last words of a server that closes may lack the end of their line.
    const { unfinished } = this.#replies;
    this.#user.closed(isClosing(unfinished) ? { ...failure, response: unfinished } : failure);
  }
}

/** RFC 5321, 4.2: the server closes the connection, whatever it answers. */
export function isClosing(reply: string): boolean {
  return /^421(?:[ -]|$)/.test(reply);
}

/**
 * Reads the replies of a server from the bytes as they come: a reply may be split over several
 * packets, and a packet may have several of them. Empty lines are skipped.
 */
class ReplyReader {
  /** As Latin-1, a character a byte, until a whole reply is there. */
  #text = "";
  #at = 0;
  /** The lines so far of a reply that another line follows ("250-…"). */
  #lines = "";

  push(bytes: Buffer): void {
    const unread = this.#at < this.#text.length ? this.#text.slice(this.#at) : "";
    this.#text = unread + bytes.toString("latin1");
    this.#at = 0;
  }

  /** The next whole reply, its lines separated by "\n"; undefined when there is none yet. */
  take(): string | undefined {
    for (let end = this.#lineEnd; end >= 0; end = this.#lineEnd) {
      const line = this.#text.slice(this.#at, this.#text[end - 1] === "\r" ? end - 1 : end);
      this.#at = end + 1;
      const lines = this.#lines === "" ? line : `${this.#lines}\n${line}`;
      const isPartial = line.charCodeAt(3) === hyphen && /^\d+-/.test(line);
      this.#lines = isPartial ? lines : "";
      if (!isPartial && lines.trim() !== "") return decode(lines);
      if (this.isTooLong) break;
    }
    return undefined;
  }

  /** Of a reply of which no end is in sight. */
  get isTooLong(): boolean {
    const unread = this.#lineEnd < 0 ? this.#text.length - this.#at : 0;
    return this.#lines.length + unread > replyBytesMax;
  }

  /** The beginning of a line that has not ended. */
  get unfinished(): string {
    return this.#text.slice(this.#at).trim();
  }

  get #lineEnd(): number {
    return this.#text.indexOf("\n", this.#at);
  }
}

const hyphen = "-".charCodeAt(0);

/** RFC 5321 has ASCII only; servers use UTF-8, or Latin-1. */
function decode(latin1: string): string {
  if (/^[\0-\x7f]*$/.test(latin1)) return latin1;
  const utf8 = Buffer.from(latin1, "latin1").toString("utf8");
  return utf8.includes("\ufffd") ? latin1 : utf8;
}

const dot = Buffer.from(".");
const dottedLine = Buffer.from("\r\n.");

/** RFC 5321, 4.5.2: a line that begins with a dot gets one more. */
export function stuffed(bytes: Buffer): Buffer {
  const pieces: Buffer[] = bytes[0] === dot[0] ? [dot] : [];
  let from = 0;
  for (let at = bytes.indexOf(dottedLine); at >= 0; at = bytes.indexOf(dottedLine, from)) {
    pieces.push(bytes.subarray(from, at + 2), dot);
    from = at + 2;
  }
  return pieces.length === 0 ? bytes : Buffer.concat([...pieces, bytes.subarray(from)]);
}

/** What the server announced in its answer to EHLO, and how much of it was used. */
export class SessionLimits {
  readonly #mailsMax: number;
  readonly #domainsMax: number;
  readonly #domains = new Set<string>();
  #mails = 0;
  /** RFC 6531. */
  readonly offersUtf8: boolean;
  /** RFC 2920: several commands in one write. */
  readonly offersPipelining: boolean;

  /** nodemailer has no public API for them. A limit of RFC 9422 that is no number is none. */
  constructor(session: SMTPConnection, ownMailsMax = 0) {
    const extensions = linesIn(session, "_supportedExtensions");
    this.offersUtf8 = extensions.includes("SMTPUTF8");
    this.offersPipelining = extensions.includes("PIPELINING");
    const lines = linesIn(session, "_ehloLines"); // without their codes
    const line = lines.find((each) => /^LIMITS(?:\s|$)/i.test(each)) ?? "";
    const limit = (name: string) =>
      Number(new RegExp(`\\s${name}=(\\d{1,9})(?:\\s|$)`, "i").exec(line)?.[1] ?? 0) || infinite;
    this.#mailsMax = Math.min(ownMailsMax || infinite, limit("MAILMAX"));
    this.#domainsMax = limit("RCPTDOMAINMAX");
  }

  /** Whether it has carried its maximum of mails. */
  get isExhausted(): boolean {
    return this.#mails >= this.#mailsMax;
  }

  /** Whether a mail to this address is within the limit of domains; one is always allowed. */
  takes(to: string): boolean {
    if (this.#domains.size < this.#domainsMax) return true;
    return this.#domains.has(domainOf(to));
  }

  count(to: string): void {
    this.#mails += 1;
    if (this.#domainsMax !== infinite) this.#domains.add(domainOf(to)); // else unbounded
  }
}

const infinite = Number.POSITIVE_INFINITY;

function linesIn(session: SMTPConnection, field: string): readonly string[] {
  const lines: unknown = Reflect.get(session, field);
  return Array.isArray(lines) ? lines.map(String) : [];
}
