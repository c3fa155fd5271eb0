import { formatGoDuration } from "../../../core/time.ts";
import type { SmtpOptions, SmtpTlsMode } from "./config.ts";

/** What can become of one message that was handed to an SMTP server, and of one attempt to connect. */
export type SmtpOutcome =
  | {
      readonly kind: "accepted";
      readonly host: string;
      readonly reply: string;
      readonly queueId: string | undefined;
    }
  | SmtpRefusal
  | SmtpDeferral
  /** We are too fast: nothing was accepted, and nothing is wrong with the message. */
  | (SmtpAnswer & { readonly kind: "throttled"; readonly retryAfterMs: number | undefined })
  | SmtpServerDown
  /** No definite reply, and the content had not ended: certainly not accepted. */
  | { readonly kind: "lost"; readonly host: string; readonly reason: string }
  /** No definite reply, and the content had ended: nobody knows. */
  | { readonly kind: "ambiguous"; readonly host: string; readonly reason: string }
  /** We gave up before the content ended. */
  | { readonly kind: "withheld" };

/** 5xx to RCPT, DATA or the content. */
type SmtpRefusal = SmtpAnswer & {
  readonly kind: "refused";
  readonly stage: "recipient" | "content";
};

/** 4xx to RCPT, DATA or the content. */
type SmtpDeferral = SmtpAnswer & {
  readonly kind: "deferred";
  readonly stage: "recipient" | "content";
  readonly retryAfterMs: number | undefined;
};

/** The server, not the message: nothing was accepted. */
export interface SmtpServerDown {
  readonly kind: "server_down";
  readonly cause: SmtpServerDownCause;
  readonly host: string;
  /** For a person: what failed, and the usual mend. */
  readonly reason: string;
  /** What it answered to one mail, if that mail turns out to be the only one that gets it. */
  readonly answer?: SmtpRefusal | SmtpDeferral;
}

export type SmtpServerDownCause =
  | "name_not_found"
  | "connect"
  | "timeout"
  | "tls"
  | "certificate"
  | "login"
  | "greeting"
  | "mail_from"
  | "quota"
  | "account"
  | "relay"
  | "blocked"
  | "throttled"
  | "closing"
  | "system";

interface SmtpAnswer {
  readonly host: string;
  readonly code: number;
  readonly enhancedCode: string | undefined;
  /** At most 500 characters, addresses masked. */
  readonly reply: string;
}

export type SmtpProbeOutcome = { readonly kind: "up"; readonly host: string } | SmtpServerDown;

const detailCharsMax = 500;

/** What is known of a failure beyond its cause. "ehlo": it answered EHLO or HELO. */
export type SetupFault = "no_starttls" | "expired" | "not_yet_valid" | "other_name" | "ehlo";

/** One sentence per cause: what failed (`detail`) and the usual mend. */
const sentences: Readonly<
  Record<
    SmtpServerDownCause,
    (server: string, detail: string, options: SmtpOptions, fault?: SetupFault) => string
  >
> = {
  name_not_found: (server, detail) =>
    `The name of ${server} cannot be resolved (${detail}): check SMTP_HOST and this machine's DNS`,
  connect: (server, detail) =>
    `Cannot connect to ${server} (${detail}): check SMTP_HOST, SMTP_PORT and the firewall`,
  timeout: (server, detail, options) =>
    `${server} did not answer in time (${detail}): check SMTP_PORT and the firewall${
      options.tls === "implicit" ? "" : "; port 465 needs SMTP_TLS=implicit"
    }`,
  tls: (server, detail, options, fault) =>
    fault === "no_starttls"
      ? `${server} does not offer STARTTLS (${detail}): check SMTP_PORT; ${tlsMends.starttls}`
      : `TLS with ${server} failed (${detail}): ${tlsMends[options.tls]}`,
  certificate: (server, detail, _options, fault) =>
    `The certificate of ${server} is not trusted (${detail}): ${certificateMend(fault)}`,
  login: (server, detail, options) =>
    options.user === undefined
      ? `${server} wants a login (${detail}): set SMTP_USER and SMTP_PASSWORD`
      : `${server} refused the login (${detail}): check SMTP_USER and SMTP_PASSWORD`,
  greeting: (server, detail, options, fault) =>
    fault === "ehlo"
      ? `${server} refused EHLO ${options.ehloName ?? ""} (${detail}): set SMTP_EHLO_NAME to a name of this machine that DNS knows`
      : `${server} refused the session (${detail}): check that it is a mail server that this machine may use`,
  mail_from: (server, detail) =>
    `${server} refused the sender (${detail}): check SMTP_FROM and SMTP_ENVELOPE_FROM, and whether this login may send as them`,
  quota: (server, detail) =>
    `The sending quota of this account at ${server} is used up (${detail}): wait until it is renewed, or have it raised`,
  account: (server, detail, { user }) =>
    `${server} lets this account send nothing (${detail}): ${
      user === undefined ? "ask its administrator" : "verify or unblock the account at the provider"
    }`,
  relay: (server, detail, { user }) =>
    `${server} does not relay for us (${detail}): ${
      user === undefined ? "set" : "check"
    } SMTP_USER and SMTP_PASSWORD, or let this machine's address relay there`,
  blocked: (server, detail) =>
    `${server} takes no mail from this machine's address or name (${detail}): have it taken off the list that is named, or send by another server`,
  throttled: (server, detail) =>
    `${server} limits how fast we send and has accepted nothing for a while (${detail}): set SMTP_RATE below its limit, or have that raised`,
  closing: (server, detail, options, fault) =>
    fault === "ehlo"
      ? `${server} closed the session at EHLO ${options.ehloName ?? ""} (${detail}): set SMTP_EHLO_NAME to a name of this machine that DNS knows, if this lasts`
      : `${server} takes nothing on this connection (${detail}): it is stopping, ended an idle connection, or limits us`,
  system: (server, detail) =>
    `${server} has a problem of its own (${detail}): ask its administrator if it lasts`,
};

const tlsMends: Readonly<Record<SmtpTlsMode, string>> = {
  starttls:
    "SMTP_TLS=implicit is for port 465; SMTP_TLS=none only for a server in a trusted network",
  implicit: "port 587 and 25 need SMTP_TLS=starttls",
  none: "if it asks for STARTTLS, set SMTP_TLS=starttls",
};

function certificateMend(fault: SetupFault | undefined): string {
  if (fault === "expired") return "it has expired, and whoever runs the server must renew it";
  if (fault === "not_yet_valid") return "it is not valid yet; check this machine's clock";
  return fault === "other_name"
    ? "SMTP_HOST must be a name in the certificate"
    : "who signed it is not known here; a private authority belongs in SMTP_CA_FILE";
}

export function serverDown(
  cause: SmtpServerDownCause,
  options: SmtpOptions,
  detail: string,
  fault?: SetupFault,
): SmtpServerDown {
  const server = `${options.host}:${options.port}`;
  const reason = sentences[cause](server, detail.slice(0, detailCharsMax), options, fault);
  return { kind: "server_down", cause, host: options.host, reason };
}

/** "no reply within 30s" */
export function silenceFor(what: string, durationMs: number): string {
  return `no ${what} within ${formatGoDuration(durationMs)}`;
}
