import { classifyReply } from "./classify-reply.ts";
import type { SmtpFailure, SmtpReply } from "./failure.ts";
import { readFailure, replyOf, serverCauseOf } from "./failure.ts";
import type { SmtpOptions } from "./options.ts";
import type { SmtpServerDown, SmtpServerDownCause } from "./outcome.ts";
import type { SetupFault } from "./server-down.ts";
import { serverDown } from "./server-down.ts";

/** Codes of OpenSSL, BoringSSL and Node for a certificate that was not accepted. */
const certificateCode =
  /^(?:CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|ERR_TLS_CERT_|HOSTNAME_MISMATCH|INVALID_|UNTRUSTED)/;
const nameCode = /^(?:ENOTFOUND|EAI_|EDNS)/;
const tlsCode = /^(?:ETLS|EPROTO$|ERR_SSL_|ERR_TLS_|SSL_)/;

/** Total: every failure before a session is ready for mail is the server's (or our settings'). */
export function classifySetupFailure(error: unknown, options: SmtpOptions): SmtpServerDown {
  const failure = readFailure(error);
  const reply = replyOf(failure);
  return reply === undefined
    ? serverDown(
        causeOfSilence(failure.codes),
        options,
        failure.description,
        faultOf(failure.codes),
      )
    : serverDown(causeOfReply(reply, failure), options, reply.text, faultOfReply(reply, failure));
}

function faultOf(codes: readonly string[]): SetupFault | undefined {
  if (codes.includes("CERT_HAS_EXPIRED")) return "expired";
  if (codes.includes("CERT_NOT_YET_VALID")) return "not_yet_valid";
  const names = ["ERR_TLS_CERT_ALTNAME_INVALID", "HOSTNAME_MISMATCH"];
  return names.some((name) => codes.includes(name)) ? "other_name" : undefined;
}

/** A server that does not know the command answers 5xx; 454: it cannot now (RFC 3207, 4). */
function faultOfReply(reply: SmtpReply, { command }: SmtpFailure): SetupFault | undefined {
  if (command === "EHLO" || command === "HELO") return "ehlo";
  return command === "STARTTLS" && reply.code >= 500 ? "no_starttls" : undefined;
}

function causeOfReply(reply: SmtpReply, failure: SmtpFailure): SmtpServerDownCause {
  // A login that is refused for how many or how often we connect is not a wrong password.
  const said = classifyReply({ ...reply, enhancedCode: undefined }, "sender");
  if (said === "rate") return "closing";
  if (said === "tls") return "tls";
  const shared = serverCauseOf(reply);
  if (shared !== undefined) return shared;
  if (failure.command.startsWith("AUTH")) return "login";
  return failure.command === "STARTTLS" ? "tls" : "greeting";
}

function causeOfSilence(codes: readonly string[]): SmtpServerDownCause {
  const has = (pattern: RegExp) => codes.some((code) => pattern.test(code));
  if (has(certificateCode)) return "certificate";
  if (has(nameCode)) return "name_not_found";
  if (has(/^EAUTH$/)) return "login";
  if (has(/^ETIMEDOUT$/)) return "timeout";
  return has(tlsCode) ? "tls" : "connect";
}
