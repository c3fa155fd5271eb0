import type SMTPConnection from "nodemailer/lib/smtp-connection";
import type { SmtpOutcome } from "./outcome.ts";

/**
 * Addresses with letters beyond ASCII before the @ go only to servers that offer SMTPUTF8 (RFC 6531);
 * there is no other way to write them. A domain is always in ASCII by now.
 */
export function isAscii(text: string): boolean {
  return /^\p{ASCII}*$/u.test(text);
}

/** What the server said to EHLO; nodemailer reads it and has no public way to ask. */
export function offersUtf8(connection: SMTPConnection): boolean {
  const extensions: unknown = Reflect.get(connection, "_supportedExtensions");
  return Array.isArray(extensions) && extensions.includes("SMTPUTF8");
}

/**
 * In the codes a server would use (RFC 6531, 3.4 and 4.2), though it was not asked: what is missing
 * is a feature of the server. It says nothing of the mailbox, so nobody is suppressed for it.
 */
export function refuseUtf8(host: string): SmtpOutcome {
  const [code, enhancedCode] = [553, "5.6.7"];
  const words =
    "not sent: the server does not offer SMTPUTF8, which letters beyond ASCII before the @ need";
  const reply = `${code} ${enhancedCode} ${words}`;
  return { kind: "refused", host, code, enhancedCode, reply, stage: "recipient" };
}
