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
export type SmtpRefusal = SmtpAnswer & {
  readonly kind: "refused";
  readonly stage: "recipient" | "content";
};

/** 4xx to RCPT, DATA or the content. */
export type SmtpDeferral = SmtpAnswer & {
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

export interface SmtpAnswer {
  readonly host: string;
  readonly code: number;
  readonly enhancedCode: string | undefined;
  /** At most 500 characters, addresses masked. */
  readonly reply: string;
}

export type SmtpProbeOutcome = { readonly kind: "up"; readonly host: string } | SmtpServerDown;
