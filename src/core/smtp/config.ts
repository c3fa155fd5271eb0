import { readFileSync } from "node:fs";
import type { ConfigValues } from "../config/field.ts";
import {
  choiceField,
  durationField,
  integerField,
  mailboxField,
  portField,
  secretField,
  textField,
} from "../config/field.ts";
import type { ConfigProblem } from "../config/parse.ts";
import type { SmtpOptions } from "./options.ts";
import { tlsModes } from "./options.ts";

/** The settings of the SMTP server; needed where `EMAIL_MODE=smtp`. */
export const smtpFields = {
  host: textField({
    name: "SMTP_HOST",
    example: "smtp.example.com",
    charsMax: 255,
    doc: "The SMTP server that takes the mails. Needed when EMAIL_MODE=smtp.",
  }),
  port: portField({
    name: "SMTP_PORT",
    fallback: "587",
    doc: "Its port: 587 for submission with STARTTLS, 465 for implicit TLS, 25 for a relay.",
  }),
  user: textField({
    name: "SMTP_USER",
    example: "mailer@example.com",
    doc: "The login at the server. Without it no login is made.",
  }),
  password: secretField({
    name: "SMTP_PASSWORD",
    doc: "The password of that login.",
  }),
  from: mailboxField({
    name: "SMTP_FROM",
    example: "noreply@example.com",
    doc: "The sender of every mail; its domain also ends each Message-ID. Needed when EMAIL_MODE=smtp.",
  }),
  fromName: textField({
    name: "SMTP_FROM_NAME",
    example: "Example",
    charsMax: 100,
    doc: "The sender's name as mail programs show it.",
  }),
  tls: choiceField({
    name: "SMTP_TLS",
    choices: tlsModes,
    fallback: "starttls",
    doc: "How the connection is encrypted. starttls is required, not merely tried; the certificate must be valid for SMTP_HOST. none sends mails, and the login, in the clear.",
  }),
  caFile: textField({
    name: "SMTP_CA_FILE",
    example: "/etc/ssl/private-ca.pem",
    doc: "A PEM file of the authorities that may have signed the server's certificate, instead of the public ones.",
  }),
  connections: integerField({
    name: "SMTP_CONNECTIONS",
    fallback: "20",
    min: 1,
    max: 200,
    doc: "Most connections to the server at the same time, per process.",
  }),
  connectTimeoutMs: durationField({
    name: "SMTP_CONNECT_TIMEOUT",
    fallback: "10s",
    minMs: 100,
    maxMs: 60_000,
    doc: "How long resolving the name and connecting may take.",
  }),
  greetingTimeoutMs: durationField({
    name: "SMTP_GREETING_TIMEOUT",
    fallback: "10s",
    minMs: 100,
    maxMs: 300_000,
    doc: "How long the server may take to greet, and a TLS handshake to finish.",
  }),
  replyTimeoutMs: durationField({
    name: "SMTP_REPLY_TIMEOUT",
    fallback: "30s",
    minMs: 100,
    maxMs: 600_000,
    doc: "How long the server may take for each reply. A mail whose last reply does not come in time is ambiguous.",
  }),
} as const;

export type SmtpConfig = ConfigValues<typeof smtpFields>;

/** The server, and the sender of every mail. */
export interface SmtpSubmission extends SmtpOptions {
  readonly from: string;
  readonly fromName: string | undefined;
}

/**
 * What the mailer is opened with, where mails are to be sent by SMTP. Undefined when something is
 * missing or does not fit together; each such thing is pushed to `problems`.
 */
export function resolveSmtp(
  config: SmtpConfig,
  problems: ConfigProblem[],
): SmtpSubmission | undefined {
  const { host, from, user, password, caFile, ...rest } = config;
  const before = problems.length;
  const report = (name: string, problem: string) => problems.push({ name, problem });
  if (host === undefined) report("SMTP_HOST", "must be set to send mails");
  if (from === undefined) report("SMTP_FROM", "must be set to send mails");
  if (user !== undefined && password === undefined) {
    report("SMTP_PASSWORD", "must be set because SMTP_USER is");
  }
  if (user === undefined && password !== undefined) {
    report("SMTP_USER", "must be set because SMTP_PASSWORD is");
  }
  if (caFile !== undefined && config.tls === "none") {
    report("SMTP_CA_FILE", "is only used with TLS; unset it, or set SMTP_TLS=starttls or implicit");
  }
  const ca = caFile === undefined ? undefined : readAuthorities(caFile, problems);
  if (host === undefined || from === undefined || problems.length > before) return undefined;
  return { ...rest, host, from, user, password, ca };
}

function readAuthorities(path: string, problems: ConfigProblem[]): string | undefined {
  try {
    const pem = readFileSync(path, "utf8");
    if (pem.includes("-----BEGIN CERTIFICATE-----")) return pem;
    problems.push({ name: "SMTP_CA_FILE", problem: `names a file without a certificate: ${path}` });
  } catch {
    problems.push({ name: "SMTP_CA_FILE", problem: `names a file that cannot be read: ${path}` });
  }
  return undefined;
}
