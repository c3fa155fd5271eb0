import { domainToASCII } from "node:url";

const localBytesMax = 64; // RFC 5321, 4.5.3.1.1
const domainCharsMax = 255; // RFC 5321, 4.5.3.1.2
const localPart = /^[^\s\p{C}<>()[\]\\,;:"@]+$/u;
/** An address that is its own canonical form but for its lengths: nothing to encode, no IP address. */
const plainMailbox = /^[\w+-]+(?:\.[\w+-]+)*@(?:[a-z0-9]+(?:-[a-z0-9]+)*\.)+[a-z]{2,}$/;
const plainCharsMax = 64;
const domainLabel = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

export const emailAddressBound =
  "an e-mail address such as ana@example.com: at most 64 bytes before the @ and 255 after it";

/**
 * The canonical form of an address, for comparing: as `parseMailbox`, all in lower case. Dots and
 * plus tags, which some providers ignore, are kept.
 */
export function parseEmailAddress(text: string): string | undefined {
  return parseMailbox(text.toLowerCase());
}

/**
 * The form of an address to send to: trimmed, the local part as given (RFC 5321, 2.4), the domain in
 * ASCII (IDNA, RFC 5891). Undefined when invalid, and for quoted local parts, address literals and
 * domains without a dot (except localhost).
 */
export function parseMailbox(text: string): string | undefined {
  // Fast path: so short that none of the bounds below is exceeded.
  if (text.length <= plainCharsMax && plainMailbox.test(text)) return text;
  const address = text.trim();
  const at = address.lastIndexOf("@");
  if (at < 1 || address.length > localBytesMax + domainCharsMax + 1) return undefined;
  const local = address.slice(0, at);
  if (Buffer.byteLength(local) > localBytesMax || !localPart.test(local)) return undefined;
  if (local.startsWith(".") || local.endsWith(".") || local.includes("..")) return undefined;
  const domain = domainToASCII(address.slice(at + 1));
  return isDomain(domain) ? `${local}@${domain}` : undefined;
}

/** Other addresses can only be sent to through servers that offer SMTPUTF8 (RFC 6531). */
export function isAscii(text: string): boolean {
  return /^\p{ASCII}*$/u.test(text);
}

function isDomain(domain: string): boolean {
  if (domain === "localhost") return true;
  const labels = domain.split(".");
  if (labels.length < 2 || domain.length > domainCharsMax) return false;
  if (/^\d+$/.test(labels.at(-1) ?? "")) return false; // an IPv4 address
  return labels.every((label) => domainLabel.test(label));
}

/** The domain of an address, in lower case. */
export function domainOf(address: string): string {
  return address.slice(address.lastIndexOf("@") + 1).toLowerCase();
}
