import { hostname } from "node:os";
import type { ConfigProblem, ConfigValues } from "../../../core/config.ts";
import { readAuthorities, setting } from "../../../core/config.ts";
import type { DkimOptions } from "./dkim.ts";
import { dkimFields, resolveDkim } from "./dkim.ts";
import { readServerUrls } from "./server-urls.ts";

const tlsModes = ["starttls", "implicit", "none"] as const;
export type SmtpTlsMode = (typeof tlsModes)[number];

/** One line of an SMTP session for display: without control characters and secrets. */
export interface SmtpTranscriptLine {
  /** "note": about the connection, sent by neither side. */
  readonly by: "client" | "server" | "note";
  readonly text: string;
}

/**
 * The server replied that we send too fast, or has not done so for a minute. `perSecond` undefined:
 * no limit.
 */
export type SmtpRateChange = {
  readonly host: string;
  readonly perSecond: number | undefined;
} & ({ readonly kind: "slowed"; readonly reply: string } | { readonly kind: "free" });

/** The address of the server and the options of the connection. */
export interface SmtpOptions {
  readonly host: string;
  readonly port: number;
  /** "starttls": required, never skipped; both kinds of TLS verify the certificate. */
  readonly tls: SmtpTlsMode;
  /** PEM of the authorities to trust instead of the usual ones. */
  readonly ca?: string | undefined;
  /** Both or neither; without them there is no login. */
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  /** Most connections open at the same time. */
  readonly connections: number;
  /** Most mails a second; 0 or unset: no limit. */
  readonly mailsPerSecondMax?: number;
  /** Set: every message is signed just before it is sent. */
  readonly dkim?: DkimOptions | undefined;
  /** For troubleshooting: called with each line of the sessions, secrets hidden. */
  readonly onTranscript?: (line: SmtpTranscriptLine) => void;
  /** Called with the end of the server's certificate (Unix ms), by each connection with TLS. */
  readonly onCertificate?: (endsAt: number) => void;
  /** Called when sending slows down, and when it is at full speed again. */
  readonly onRateChange?: (change: SmtpRateChange) => void;
  /** For resolving the name and the TCP connection. */
  readonly connectTimeoutMs: number;
  /** From the TCP connection to the greeting; also for a TLS handshake. */
  readonly greetingTimeoutMs: number;
  /** For each reply to a command. */
  readonly replyTimeoutMs: number;
  /** For the content up to the final dot (unset: as for a reply). */
  readonly contentTimeoutMs?: number;
  /** For the answer to the final dot (unset: as for a reply). */
  readonly finalReplyTimeoutMs?: number;
  /** The name in EHLO (see `defaultEhloName`). */
  readonly ehloName?: string;
  /** A connection that was idle for this long is ended (default 20 s). */
  readonly idleMsMax?: number;
  /** A connection is ended after this many messages (default: only the server's limit). */
  readonly messagesPerConnectionMax?: number;
}

/** RFC 5321, 4.1.1.1: a fully qualified domain name, or an address literal of 4.1.3. */
const label = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?";
const octet = "(?:25[0-5]|2[0-4]\\d|1?\\d?\\d)";
const domain = `(?=.{1,255}$)(?:${label}\\.)+(?=[A-Za-z0-9-]*[A-Za-z])${label}`;
const literal = `\\[(?:${octet}(?:\\.${octet}){3}|IPv6:[0-9A-Fa-f:.]{2,45})\\]`;

const ehloNamePattern = new RegExp(`^(?:${domain}|${literal})$`);
const ehloNameShape =
  "a full domain name such as mail.example.com, or an address as [192.0.2.1] or [IPv6:2001:db8::1]";

/** Not a standard field. */
const ownHeaderName =
  /^(?!(?:from|to|cc|bcc|sender|reply-to|subject|date|message-id|mime-version|return-path|received|auto-submitted|x-auto-response-suppress|feedback-id|dkim-signature|(?:content|list|resent)-.*)$)[a-z][a-z0-9-]{0,75}$/i;

/** The settings of the SMTP server; needed where `EMAIL_MODE=smtp`. */
export const smtpFields = {
  urls: setting.secret({
    name: "SMTP_URLS",
    example:
      "smtp://user:password@smtp.example.com:587?from=noreply@example.com,smtps://user:password@smtp.example.net:465?rate=14",
    doc: "Several SMTP servers instead of SMTP_HOST, in order of preference, separated by commas or line breaks: smtp://user:password@host:port (smtps:// for implicit TLS), user and password percent-encoded. Any other SMTP_* setting may follow as a parameter of one server, in lower case without SMTP_: ?from=…&rate=…&connections=…; omitted ones are taken from the settings.",
  }),
  host: setting.text({
    name: "SMTP_HOST",
    example: "smtp.example.com",
    charsMax: 255,
    doc: "The SMTP server to send through. Required with EMAIL_MODE=smtp.",
  }),
  port: setting.port({
    name: "SMTP_PORT",
    fallback: "587",
    doc: "Its port: 587 for submission with STARTTLS, 465 for implicit TLS, 25 for a relay.",
  }),
  user: setting.text({
    name: "SMTP_USER",
    example: "mailer@example.com",
    doc: "The user to log in as. Unset: no login.",
  }),
  password: setting.secret({
    name: "SMTP_PASSWORD",
    doc: "The password of SMTP_USER.",
  }),
  from: setting.mailbox({
    name: "SMTP_FROM",
    example: "noreply@example.com",
    doc: "The sender of every mail; its domain is also that of each Message-ID. Required with EMAIL_MODE=smtp.",
  }),
  fromName: setting.text({
    name: "SMTP_FROM_NAME",
    example: "Example",
    charsMax: 100,
    doc: "The sender's display name.",
  }),
  envelopeFrom: setting.mailbox({
    name: "SMTP_ENVELOPE_FROM",
    example: "bounces@mail.example.com",
    doc: "The envelope sender: where bounces go, and whose domain SPF checks. Unset: SMTP_FROM.",
  }),
  tls: setting.choice({
    name: "SMTP_TLS",
    choices: tlsModes,
    fallback: "starttls",
    doc: "How the connection is encrypted. starttls is required, not opportunistic; the certificate must be valid for SMTP_HOST. none sends mails, and the login, in clear text.",
  }),
  caFile: setting.text({
    name: "SMTP_CA_FILE",
    example: "/etc/ssl/private-ca.pem",
    doc: "PEM file of the authorities trusted for the server's certificate, instead of the public ones.",
  }),
  ehloName: setting.pattern({
    name: "SMTP_EHLO_NAME",
    pattern: ehloNamePattern,
    shape: ehloNameShape,
    example: "mail.example.com",
    doc: "The name sent in EHLO. Unset: this machine's host name if it is fully qualified, otherwise the domain of SMTP_FROM.",
  }),
  connections: setting.integer({
    name: "SMTP_CONNECTIONS",
    fallback: "20",
    min: 1,
    max: 200,
    doc: "Maximum number of concurrent connections to the server, per process.",
  }),
  messagesPerConnectionMax: setting.integer({
    name: "SMTP_MAILS_PER_CONNECTION",
    fallback: "0",
    min: 0,
    max: 1_000_000,
    doc: "A connection is closed after this many mails. 0: only the limit that the server announces (LIMITS, RFC 9422).",
  }),
  mailsPerSecondMax: setting.integer({
    name: "SMTP_RATE",
    fallback: "0",
    min: 0,
    max: 10_000,
    doc: "Maximum number of mails per second, per process, evenly spaced, to stay below a provider's limit. 0: no limit.",
  }),
  idempotencyHeader: setting.pattern({
    name: "SMTP_IDEMPOTENCY_HEADER",
    pattern: ownHeaderName,
    shape:
      "the name of a header field that is not the mail's own: letters, digits and dashes, at most 76",
    example: "Resend-Idempotency-Key",
    doc: "A header field for the message_id, for a provider that accepts a mail with a known key only once. It is not covered by DKIM: the provider removes it.",
  }),
  connectTimeoutMs: setting.duration({
    name: "SMTP_CONNECT_TIMEOUT",
    fallback: "10s",
    minMs: 100,
    maxMs: 60_000,
    doc: "How long resolving the name and connecting may take.",
  }),
  greetingTimeoutMs: setting.duration({
    name: "SMTP_GREETING_TIMEOUT",
    fallback: "10s",
    minMs: 100,
    maxMs: 300_000,
    doc: "How long the server may take to greet, and to finish a TLS handshake.",
  }),
  replyTimeoutMs: setting.duration({
    name: "SMTP_REPLY_TIMEOUT",
    fallback: "30s",
    minMs: 100,
    maxMs: 600_000,
    doc: "How long the server may take for the reply to each command (EHLO, AUTH, MAIL, RCPT, DATA).",
  }),
  contentTimeoutMs: setting.duration({
    name: "SMTP_CONTENT_TIMEOUT",
    fallback: "3m",
    minMs: 100,
    maxMs: 1_800_000,
    doc: "How long sending a mail's content may take, up to its final dot.",
  }),
  finalReplyTimeoutMs: setting.duration({
    name: "SMTP_FINAL_REPLY_TIMEOUT",
    fallback: "10m",
    minMs: 100,
    maxMs: 1_800_000,
    doc: "How long the server may take to answer the final dot; the claim is renewed meanwhile. A mail whose answer does not arrive in time is ambiguous.",
  }),
  ...dkimFields,
} as const;

type SmtpConfig = ConfigValues<typeof smtpFields>;

/** The options of the mailer: the server, and what is the same in every mail. */
export interface SmtpSubmission extends SmtpOptions {
  readonly from: string;
  readonly fromName?: string | undefined;
  /** The sender in the envelope (default: `from`). */
  readonly envelopeFrom?: string | undefined;
  /** The name of a header field that carries the `message_id`, for the provider. */
  readonly idempotencyHeader?: string | undefined;
  /**
   * The address whose domain is used in each Message-ID (default: `from`), whichever server takes
   * the mail.
   */
  readonly messageIdFrom?: string | undefined;
}

/**
 * All servers, the preferred one first: those of SMTP_URLS, or the one of SMTP_HOST. Undefined as
 * for `resolveSmtp`, whose problems name the server.
 */
export function resolveSmtpServers(
  config: SmtpConfig,
  problems: ConfigProblem[],
): readonly SmtpSubmission[] | undefined {
  if (config.urls === undefined) {
    const server = resolveSmtp(config, problems);
    return server && [server];
  }
  const before = problems.length;
  for (const [name, value] of Object.entries({
    SMTP_HOST: config.host,
    SMTP_USER: config.user,
    SMTP_PASSWORD: config.password,
  })) {
    if (value !== undefined)
      problems.push({ name, problem: "and SMTP_URLS are both set; keep one" });
  }
  const servers = readServerUrls(config.urls, smtpFields, problems).flatMap((settings, index) => {
    const own: ConfigProblem[] = [];
    const server = resolveSmtp({ ...config, ...settings }, own);
    const label = `server ${index + 1} (${server?.host ?? String(settings["host"])})`;
    for (const { name, problem } of own) {
      problems.push({ name: "SMTP_URLS", problem: `${label}: ${name} ${problem}` });
    }
    return server === undefined ? [] : [server];
  });
  const messageIdFrom = servers[0]?.from;
  if (problems.length > before) return undefined;
  return servers.map((server) => ({ ...server, messageIdFrom }));
}

/**
 * The options of the SMTP mailer. Undefined when settings are missing or do not fit together; each
 * problem is pushed to `problems`.
 */
export function resolveSmtp(
  config: SmtpConfig,
  problems: ConfigProblem[],
): SmtpSubmission | undefined {
  const { host, port, tls, user, password, from, envelopeFrom } = config;
  const before = problems.length;
  const report = (name: string, problem: string) => problems.push({ name, problem });
  if (host === undefined) report("SMTP_HOST", "must be set to send mails");
  if (from === undefined) report("SMTP_FROM", "must be set to send mails");
  for (const [name, sender] of Object.entries({
    SMTP_FROM: from,
    SMTP_ENVELOPE_FROM: envelopeFrom,
  })) {
    if (!/^\p{ASCII}*$/u.test(sender ?? "")) {
      report(name, "must be ASCII before the @: many servers take no other sender");
    }
  }
  if (user !== undefined && password === undefined) {
    report("SMTP_PASSWORD", "must be set because SMTP_USER is");
  }
  if (user === undefined && password !== undefined) {
    report("SMTP_USER", "must be set because SMTP_PASSWORD is");
  }
  if (config.caFile !== undefined && tls === "none") {
    report("SMTP_CA_FILE", "is only used with TLS; unset it, or set SMTP_TLS=starttls or implicit");
  }
  const ca =
    config.caFile === undefined
      ? undefined
      : readAuthorities("SMTP_CA_FILE", config.caFile, problems);
  const dkim = resolveDkim(config, problems);
  if (host === undefined || from === undefined || problems.length > before) return undefined;
  const { connections, mailsPerSecondMax, fromName, idempotencyHeader } = config;
  const { connectTimeoutMs, greetingTimeoutMs, replyTimeoutMs } = config;
  const { contentTimeoutMs, finalReplyTimeoutMs, messagesPerConnectionMax } = config;
  return {
    ...{ host, port, tls, ca, user, password },
    ...{ connections, mailsPerSecondMax, connectTimeoutMs, greetingTimeoutMs, replyTimeoutMs },
    ...{ contentTimeoutMs, finalReplyTimeoutMs, messagesPerConnectionMax },
    ehloName: config.ehloName ?? defaultEhloName(from),
    ...{ from, fromName, envelopeFrom: envelopeFrom ?? from, idempotencyHeader, dkim },
  };
}

/** This machine's name if fully qualified, else the sender's domain. */
export function defaultEhloName(from: string, machine = hostname()): string {
  const isFullName = !machine.startsWith("[") && ehloNamePattern.test(machine);
  return isFullName ? machine : from.slice(from.lastIndexOf("@") + 1);
}
