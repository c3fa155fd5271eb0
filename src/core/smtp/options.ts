import type { DkimOptions } from "./dkim.ts";

export const tlsModes = ["starttls", "implicit", "none"] as const;
export type SmtpTlsMode = (typeof tlsModes)[number];

/** One line of an SMTP session as a person reads it: without control characters and secrets. */
export interface SmtpTalkLine {
  /** "note": about the connection itself, said by nobody. */
  readonly by: "client" | "server" | "note";
  readonly text: string;
}

/** A server said that we are too fast, or has not for a minute. `perSecond` undefined: no limit. */
export type SmtpRateChange = {
  readonly host: string;
  readonly perSecond: number | undefined;
} & ({ readonly kind: "slowed"; readonly reply: string } | { readonly kind: "free" });

/** Where the server is and how to talk to it. */
export interface SmtpOptions {
  readonly host: string;
  readonly port: number;
  /** "starttls": required, never skipped; both kinds of TLS verify the certificate. */
  readonly tls: SmtpTlsMode;
  /** PEM of the authorities to trust instead of the usual ones. */
  readonly ca?: string | undefined;
  /** Both or none: without them no login. */
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  /** Most connections open at the same time. */
  readonly connections: number;
  /** Most mails a second; 0 or unset: no limit. */
  readonly mailsPerSecondMax?: number;
  /** Set: every message is signed just before it is sent. */
  readonly dkim?: DkimOptions | undefined;
  /** Told each line of the sessions, secrets hidden: for a person who looks for a fault. */
  readonly onTalk?: (line: SmtpTalkLine) => void;
  /** Told when the server's certificate ends (Unix ms), by each connection with TLS. */
  readonly onCertificate?: (endsAt: number) => void;
  /** Told when sending slows down, and when it is at full speed again. */
  readonly onRateChange?: (change: SmtpRateChange) => void;
  /** Told by each connection whether the server offers SMTPUTF8 (RFC 6531). */
  readonly onUtf8?: (offered: boolean) => void;
  /** From asking for the name to the TCP connection. */
  readonly connectTimeoutMs: number;
  /** From the TCP connection to the greeting; also for a TLS handshake. */
  readonly greetingTimeoutMs: number;
  /** For each reply to a command. */
  readonly replyTimeoutMs: number;
  /** For handing over the content up to the final dot (unset: as for a reply). */
  readonly contentTimeoutMs?: number;
  /** For the answer to the final dot (unset: as for a reply). */
  readonly finalReplyTimeoutMs?: number;
  /** How we introduce ourselves in EHLO (see `defaultEhloName`). */
  readonly ehloName?: string;
  /** A kept-open connection that was not used for so long is ended (default 20 s). */
  readonly idleMsMax?: number;
  /** A connection is ended after so many messages (default: no limit but the one it announces). */
  readonly messagesPerConnectionMax?: number;
}
