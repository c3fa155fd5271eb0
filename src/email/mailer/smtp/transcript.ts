import type SMTPConnection from "nodemailer/lib/smtp-connection";
import type { SmtpOptions } from "./config.ts";

/*
 * The transcript of an SMTP session (`instant send-test`), through `SmtpOptions.onTranscript`:
 * every line of both sides, without secrets and control characters.
 */

const hidden = "***";

/**
 * nodemailer's log of a session, line by line, credentials hidden: what follows AUTH's mechanism,
 * each answer to a 334, and the password wherever it appears. Undefined without `onTranscript`.
 */
export function createTranscriptLogger(options: SmtpOptions) {
  const { onTranscript } = options;
  if (onTranscript === undefined) return undefined;
  const secrets = secretForms(options);
  let credentialsNext = false;
  return {
    debug: ({ tnx }: { readonly tnx?: string }, text: string) => {
      if (tnx === "server") {
        credentialsNext = text.startsWith("334");
        for (const line of text.split("\n"))
          onTranscript({ by: "server", text: printable(line, secrets) });
      } else if (tnx === "client") {
        const command = credentialsNext ? hidden : text.replace(/^(AUTH \S+) .*/s, `$1 ${hidden}`);
        onTranscript({ by: "client", text: printable(command, secrets) });
        credentialsNext = false;
      }
    },
    trace: ignore,
    info: ignore,
    warn: ignore,
    error: ignore,
    fatal: ignore,
  };
}

/** Adds a note with the server's certificate, once TLS is established. */
export function recordConnection(connection: SMTPConnection, options: SmtpOptions): void {
  const socket = connection._socket;
  if (options.onTranscript === undefined || !socket) return;
  if (!("getPeerCertificate" in socket && "getProtocol" in socket)) {
    options.onTranscript({ by: "note", text: "the connection is not encrypted" });
    return;
  }
  const { getPeerCertificate, getProtocol } = socket as import("node:tls").TLSSocket;
  const { subject, issuer, valid_to: validTo } = getPeerCertificate.call(socket);
  const text = `${getProtocol.call(socket)}, certificate of ${subject?.CN} by ${issuer?.CN ?? issuer?.O}, valid until ${validTo}`;
  options.onTranscript({ by: "note", text: printable(text, []) });
}

/** Shows the message's header, and only the length of its body. */
export function recordContent(content: Buffer, { onTranscript }: SmtpOptions): void {
  if (onTranscript === undefined) return;
  const headEnd = content.indexOf("\r\n\r\n");
  const head = content.subarray(0, headEnd).toString("utf8");
  for (const line of head.split("\r\n")) onTranscript({ by: "client", text: printable(line, []) });
  const bytes = (content.length - headEnd - 4).toLocaleString("en");
  onTranscript({ by: "client", text: "" });
  onTranscript({ by: "note", text: `${bytes} bytes of text and HTML, not shown` });
}

function secretForms({ user = "", password }: SmtpOptions): readonly string[] {
  if (password === undefined) return [];
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  return [base64(`\0${user}\0${password}`), base64(password), password];
}

/** Terminals interpret control characters, so server texts must not contain any. */
function printable(text: string, secrets: readonly string[]): string {
  let shown = text;
  for (const secret of secrets) shown = shown.replaceAll(secret, hidden);
  return shown.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, " ").trimEnd();
}

function ignore(): void {}
