// What an address may be, and the two forms of one: to send to, and to compare by.
import { domainToASCII, domainToUnicode } from "node:url";

const localBytesMax = 64; // RFC 5321, 4.5.3.1.1
const bytesMax = 254; // RFC 5321, 4.5.3.1.3: a path of 256, with its angle brackets
/** Longer text is refused unread. */
const charsMax = 1000;

/** A mailbox that needs no conversion: plain ASCII, nothing to decode, no IP address. */
const plainMailbox = /^[\w+-]+(?:\.[\w+-]+)*@(?:[a-z0-9]+(?:-[a-z0-9]+)*\.)+[a-z]{2,}$/;
const plainCharsMax = 64;

/** Blanks, and what has no shape of its own; U+2800 is the empty Braille pattern. */
const unseen = String.raw`\s\p{Z}\p{Cf}\p{Default_Ignorable_Code_Point}\u2800`;
const unseenEnds = new RegExp(`^[${unseen}]+|[${unseen}]+$`, "gu");
const unseenInside = new RegExp(String.raw`[${unseen}\p{Cc}]`, "u");
/** Joiners are letters of some domains (Persian, Sinhala): UTS #46 knows where. */
const joiners = /[\u200c\u200d]/g;
/** The forms that East Asian keyboards write: ＡＢＣ, ＠, ｶﾅ. */
const wideOrNarrow = /[\u3000\uff01-\uffee]+/g;

const specials = String.raw`<>()\[\]\\,;:"@`; // RFC 5322, 3.2.3, without the dot
const atom = String.raw`(?!\p{M})[^${unseen}\p{C}${specials}.]+`;
const localPart = new RegExp(String.raw`^${atom}(?:\.${atom})*$`, "u");
const special = new RegExp(`[${specials}]`);
const domainText = /^[a-z0-9.\u0080-\u{10ffff}-]+$/iu;
const domainLabel = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
/** What the end of an IPv4 address looks like to a URL parser. */
const number = /^(?:\d+|0x[0-9a-f]*)$/;

export const emailAddressBound = `an e-mail address such as ana@example.com: at most ${localBytesMax} bytes before the @ and ${bytesMax} altogether`;

/** What may be wrong with an address, as the rest of a sentence about it. */
const faults = {
  shape: `must be ${emailAddressBound}`,
  long: `must be an e-mail address of at most ${bytesMax} bytes, and ${localBytesMax} before the @`,
  unseen:
    "must be an e-mail address without spaces or invisible characters inside: type it instead of pasting it",
  route: "must be an e-mail address without % or ! before the @, which name a route",
  domain: "must be an e-mail address with a domain name after the @, such as example.com",
} as const;
type AddressFault = keyof typeof faults;

/**
 * The canonical form of an address, for comparing: as `parseMailbox`, all in lower case. Dots and
 * plus tags, which some providers ignore, are kept.
 */
export function parseEmailAddress(text: string): string | undefined {
  const mailbox = parseMailbox(text);
  if (mailbox === undefined) return undefined;
  const address = canonicalAddress(mailbox);
  return address === mailbox ? address : parseMailbox(address); // it may be longer in lower case
}

/** The canonical form of what `parseMailbox` returned. */
export function canonicalAddress(mailbox: string): string {
  return mailbox.toLowerCase().normalize("NFC"); // J̌ has no composed form, and ǰ has one
}

/**
 * The form of an address to send to. Invisible characters around it are dropped, full-width and
 * half-width forms are folded, the local part is in NFC (RFC 6532, 3.1) and its case as given
 * (RFC 5321, 2.4), the domain in ASCII by UTS #46. Undefined when invalid, and for quoted local
 * parts, those with % or !, address literals and domains without a dot (except localhost).
 */
export function parseMailbox(text: string): string | undefined {
  // Fast path: so short that none of the bounds below is exceeded.
  if (text.length <= plainCharsMax && plainMailbox.test(text)) return text;
  const read = readMailbox(text);
  return "mailbox" in read ? read.mailbox : undefined;
}

/** Why a text is no address. */
export function addressFault(text: string): AddressFault {
  const read = readMailbox(text);
  return "fault" in read ? read.fault : "long"; // in lower case
}

/** The same, as the rest of a sentence about it: "must be an e-mail address …". */
export function addressProblem(text: string): string {
  return faults[addressFault(text)];
}

type ReadMailbox = { readonly mailbox: string } | { readonly fault: AddressFault };

function readMailbox(text: string): ReadMailbox {
  if (text.length > charsMax) return { fault: "long" };
  const address = text
    .replace(unseenEnds, "")
    .replace(wideOrNarrow, (signs) => signs.normalize("NFKC"));
  const at = address.lastIndexOf("@");
  if (at < 1) return { fault: "shape" };
  const local = address.slice(0, at).normalize("NFC");
  const domainGiven = address.slice(at + 1);
  if (unseenInside.test(local + domainGiven.replace(joiners, ""))) return { fault: "unseen" };
  if (/[%!]/.test(local)) return { fault: "route" };
  if (Buffer.byteLength(local) > localBytesMax) return { fault: "long" };
  // No character either that turns into a special one where somebody normalizes: ﹫ is an @ in NFKC.
  if (!localPart.test(local) || special.test(local.normalize("NFKC"))) return { fault: "shape" };
  const domain = readDomain(domainGiven);
  if (domain === undefined) return { fault: "domain" };
  const mailbox = `${local}@${domain}`;
  return Buffer.byteLength(mailbox) > bytesMax ? { fault: "long" } : { mailbox };
}

/** RFC 5321, 2.3.5: labels of letters, digits and hyphens. Not the parser of a URL's host. */
function readDomain(text: string): string | undefined {
  const isPlain = isAscii(text) && !/xn--/i.test(text);
  const domain = isPlain ? text.toLowerCase() : readInternational(text);
  if (domain === undefined || domain === "localhost") return domain;
  const labels = domain.split(".");
  if (labels.length < 2 || number.test(labels.at(-1) ?? "")) return undefined;
  return labels.every((label) => domainLabel.test(label)) ? domain : undefined;
}

/**
 * A domain beyond ASCII, or with a label that is encoded (xn--). The runtime's UTS #46 comes with a
 * URL's parser, so it gets nothing that such a parser takes for more than letters. Each label has to
 * be what its decoded form encodes to (RFC 5890, 2.3.2.1), with no hyphen where RFC 5891, 4.2.3.1
 * has none.
 */
function readInternational(text: string): string | undefined {
  if (!domainText.test(text.normalize("NFKC"))) return undefined;
  const domain = domainToASCII(text);
  const decoded = domainToUnicode(domain);
  if (domain === "" || domainToASCII(decoded) !== domain) return undefined;
  return decoded.split(".").some((label) => /^-|-$|^..--/u.test(label)) ? undefined : domain;
}

/** Other addresses can only be sent to through servers that offer SMTPUTF8 (RFC 6531). */
export function isAscii(text: string): boolean {
  return /^\p{ASCII}*$/u.test(text);
}

/** At whichever machine delivers it (RFC 6761, 6.3): there it may reach root. */
export function isAtLocalhost(address: string): boolean {
  return /[@.](?:localhost|localdomain)$/.test(address);
}

/** The domain of an address, in lower case. */
export function domainOf(address: string): string {
  return address.slice(address.lastIndexOf("@") + 1).toLowerCase();
}
