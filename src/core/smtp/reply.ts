/**
 * A server's reply, read for its codes and made fit for logs: one line, at most 500 characters,
 * addresses masked. Replies may echo the recipient, so nothing else may show the raw text.
 */
export interface SmtpReplyText {
  /** 250, 451, 550, …; undefined when the text does not begin with one. */
  readonly code: number | undefined;
  /** RFC 3463: "5.1.1". */
  readonly enhancedCode: string | undefined;
  readonly text: string;
}

const rawCharsMax = 2_000;
const textCharsMax = 500;

export function parseReply(raw: string): SmtpReplyText {
  const match = /^([2-5]\d\d)(?!\d)(?:[ -]+([245]\.\d{1,3}\.\d{1,3})\b)?/.exec(raw);
  return {
    code: match?.[1] === undefined ? undefined : Number(match[1]),
    enhancedCode: match?.[2],
    text: printReply(raw, match?.[2]),
  };
}

/** The lines of a longer reply are joined; each repeats the codes (RFC 5321, 4.2.1): cut, unless it has another. */
function printReply(raw: string, first: string | undefined): string {
  const line = boundRaw(raw)
    .replace(/^(\d{3})-/, "$1 ")
    .replace(/\n\d{3}[ -]?(?:([245]\.\d{1,3}\.\d{1,3})\b ?)?/g, (_, code: string | undefined) =>
      code === undefined || code === first ? " " : ` ${code} `,
    )
    .replace(/[\s\p{Cc}]+/gu, " ");
  return maskAddresses(line).trim().slice(0, textCharsMax);
}

/** Cut at a space, so that half an address is not left without the @ that gives it away. */
function boundRaw(raw: string): string {
  return raw.length <= rawCharsMax ? raw : raw.slice(0, rawCharsMax).replace(/\S+$/, "");
}

/** `550 <test@example.com>: unknown` → `550 <t***@example.com>: unknown`. */
export function maskAddresses(text: string): string {
  return text.replace(/([^\s<>()[\],;:"@])[^\s<>()[\],;:"@]*@/g, "$1***@");
}
