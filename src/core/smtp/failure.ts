import type { SmtpServerDownCause } from "./outcome.ts";
import type { SmtpReplyText } from "./reply.ts";
import { maskAddresses, parseReply } from "./reply.ts";

/** The fields of a nodemailer or socket error that decide; nothing is decided on its words. */
export interface SmtpFailure {
  /** nodemailer's ("ETIMEDOUT", "EAUTH") and, where it replaced one, the socket's own. */
  readonly codes: readonly string[];
  /** What was being answered: "EHLO", "AUTH PLAIN", "MAIL FROM", "RCPT TO", "DATA"; "CONN": nothing. */
  readonly command: string;
  /** As the server wrote it; only `parseReply` makes it fit to show. */
  readonly response: string | undefined;
  /** For a person, addresses masked. */
  readonly description: string;
}

export type SmtpReply = SmtpReplyText & { readonly code: number };

export function readFailure(error: unknown): SmtpFailure {
  const text = (name: string): string | undefined => {
    const value: unknown = error instanceof Error ? Reflect.get(error, name) : undefined;
    return typeof value === "string" ? value : undefined;
  };
  const codes = [text("originalCode"), text("code")].filter((code) => code !== undefined);
  const message = error instanceof Error ? error.message : String(error);
  const code = codes[0] ?? "";
  return {
    codes,
    command: text("command") ?? "CONN",
    response: text("response"),
    description: maskAddresses(message.includes(code) ? message : `${message}, ${code}`),
  };
}

/** The reply in a failure, whatever it answers; undefined when it has no code. */
export function replyOf(failure: SmtpFailure): SmtpReply | undefined {
  if (failure.response === undefined) return undefined;
  const reply = parseReply(failure.response);
  return reply.code === undefined ? undefined : { ...reply, code: reply.code };
}

/** RFC 4954: about the login, before a session is ready. */
const loginCodes: ReadonlySet<number> = new Set([530, 534, 535, 538]);

/** 421, 4.3.x and the codes of logins are about the server or us, whatever command they answer. */
export function serverCauseOf(reply: SmtpReply): SmtpServerDownCause | undefined {
  if (reply.code === 421) return "closing";
  if (reply.code < 500 && reply.enhancedCode?.startsWith("4.3.") === true) return "system";
  return loginCodes.has(reply.code) ? "login" : undefined;
}
