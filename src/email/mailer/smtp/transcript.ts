import type SMTPConnection from "nodemailer/lib/smtp-connection";
import type { SmtpOptions } from "./config.ts";

/*
 * The transcript of an SMTP session (`instant send-test`), through `SmtpOptions.onTranscript`:
 * every line of both sides, without secrets and control characters.
 */

const hidden = "***";

/** What both sides say after the login. */
export interface Transcript {
  server(reply: string): void;
  client(line: string): void;
  /** Shows the message's header, and only the length of its body. */
  content(bytes: Buffer): void;
}

/** Undefined without `onTranscript`. */
export function createTranscript(options: SmtpOptions): Transcript | undefined {
  const { onTranscript } = options;
  if (onTranscript === undefined) return undefined;
  const secrets = secretForms(options);
  const client = (line: string) => onTranscript({ by: "client", text: printable(line, secrets) });
  return {
    client,
    server: (reply) => {
      for (const line of reply.split("\n"))
        onTranscript({ by: "server", text: printable(line, secrets) });
    },
    content: (bytes) => {
      const headEnd = bytes.indexOf("\r\n\r\n");
      for (const line of bytes.subarray(0, headEnd).toString("utf8").split("\r\n"))
        onTranscript({ by: "client", text: printable(line, []) });
      const length = (bytes.length - headEnd - 4).toLocaleString("en");
      onTranscript({ by: "client", text: "" });
      onTranscript({ by: "note", text: `${length} bytes of text and HTML, not shown` });
    },
  };
}

/**
 * nodemailer's log of a session, line by line, credentials hidden: what follows AUTH's mechanism,
 * each answer to a 334, and the password wherever it appears. Undefined without `onTranscript`.
 */
export function createTranscriptLogger(options: SmtpOptions) {
  const transcript = createTranscript(options);
  if (transcript === undefined) return undefined;
  let credentialsNext = false;
  return {
    debug: ({ tnx }: { readonly tnx?: string }, text: string) => {
      if (tnx === "server") {
        credentialsNext = text.startsWith("334");
        transcript.server(text);
      } else if (tnx === "client") {
        transcript.client(
          credentialsNext ? hidden : text.replace(/^(AUTH \S+) .*/s, `$1 ${hidden}`),
        );
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
