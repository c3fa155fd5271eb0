// A mail as MIME (RFC 5322), signed with DKIM (RFC 6376).
import type { KeyObject } from "node:crypto";
import { sign as signBytes } from "node:crypto";
import RelaxedBody from "nodemailer/lib/dkim/relaxed-body";
import sign from "nodemailer/lib/dkim/sign";
import { encodeWord } from "nodemailer/lib/mime-funcs";
import { noControls } from "../../mails/mail-type.ts";
import { memoize } from "../../memoize.ts";
import type { MailBodies, MailBody } from "../mailer.ts";
import type { Chunk } from "./body-encoding.ts";
import { encodeBody } from "./body-encoding.ts";
import type { DkimOptions } from "./dkim.ts";

export interface MimeMessage {
  readonly from: { readonly address: string; readonly name: string | undefined };
  readonly to: string;
  readonly subject: string;
  /** Including its angle brackets. */
  readonly messageId: string;
  readonly date: Date;
  readonly text: string;
  readonly html: string;
  /** If set, `text` and `html` are not read. */
  readonly bodies?: MailBodies | undefined;
  /**
   * Doubles each dot that begins a line, as SMTP sends it (RFC 5321, 4.5.2). Not for `signDkim`.
   */
  readonly dotStuffed?: boolean;
  /** Further header fields, ASCII; unchanged, but folded where they have white space. */
  readonly headers: Readonly<Record<string, string>>;
}

/** RFC 5322, 2.1.1, without the CRLF: how long a line should be at most. */
const lineCharsMax = 78;

/**
 * The message in the form of RFC 5322: text and HTML as alternatives, in UTF-8, 7bit where that is
 * enough and quoted-printable elsewhere. With `bodies`, their pieces are encoded for the first mail
 * of a kind only, and then copied as bytes: 5 µs for a mail of 6 KB; without, 10 to 30; nodemailer's
 * MailComposer takes 280. Throws a plain Error for an invalid header field.
 */
export function composeMime(message: MimeMessage): Buffer {
  const { from, headers, dotStuffed = false } = message;
  const { text, html } = message.bodies ?? { text: whole(message.text), html: whole(message.html) };
  const boundary = `=_${crypto.randomUUID()}`; // "=_" cannot occur in quoted-printable
  const fields = [
    ...Object.entries(headers).map(([name, value]) => rawField(name, value)),
    from.name
      ? fromField(`${from.address}\n${from.name}`)
      : foldField("From", oneLine(from.address)),
    foldField("To", oneLine(message.to)),
    subjectField(message.subject),
    foldField("Message-ID", oneLine(message.messageId)),
    dateField(Math.floor(message.date.getTime() / 1000)),
    "MIME-Version: 1.0",
    `Content-Type: multipart/alternative;\r\n boundary="${boundary}"`,
  ];
  const [plain, rich] = [encodeBody(text, dotStuffed), encodeBody(html, dotStuffed)];
  return joinChunks([
    `${fields.join("\r\n")}\r\n\r\n--${boundary}\r\n${partHead("text/plain", plain.encoding)}`,
    ...plain.chunks,
    `\r\n\r\n--${boundary}\r\n${partHead("text/html", rich.encoding)}`,
    ...rich.chunks,
    `\r\n\r\n--${boundary}--\r\n`,
  ]);
}

function whole(text: string): MailBody {
  return { pieces: [text], values: [] };
}

function partHead(type: string, encoding: string): string {
  return `Content-Type: ${type}; charset=utf-8\r\nContent-Transfer-Encoding: ${encoding}\r\n\r\n`;
}

/**
 * One allocation for about five mails of 6 KB; larger ones cost more, because the memory is no longer
 * in the CPU's cache. A mail keeps its slab alive. Those that wait are sent in the order in which they
 * were composed, so slow servers keep at most one slab more for each connection.
 */
const slabBytes = 32 * 1024;
let slab = Buffer.alloc(0);
let slabUsed = 0;

function joinChunks(chunks: readonly Chunk[]): Buffer {
  let bytesMax = 0;
  for (const chunk of chunks) {
    bytesMax += typeof chunk === "string" ? chunk.length * utf8BytesMax : chunk.length;
  }
  if (slabUsed + bytesMax > slab.length) {
    slab = Buffer.allocUnsafeSlow(Math.max(bytesMax, slabBytes));
    slabUsed = 0;
  }
  const start = slabUsed;
  for (const chunk of chunks) {
    if (typeof chunk === "string") slabUsed += slab.write(chunk, slabUsed);
    else {
      slab.set(chunk, slabUsed);
      slabUsed += chunk.length;
    }
  }
  return slab.subarray(start, slabUsed);
}

/** Of one UTF-16 code unit. */
const utf8BytesMax = 3;

const fieldsMax = 100;

const dateField = memoize((second: number) => {
  return `Date: ${new Date(second * 1000).toUTCString().replace("GMT", "+0000")}`;
}, 1);

const subjectField = memoize(
  (subject: string) => foldField("Subject", unstructured(subject)),
  fieldsMax,
);

/** Of address and name, separated by a line feed. */
const fromField = memoize((from: string) => {
  const [address = "", ...name] = from.split("\n");
  return foldField("From", mailbox(address, name.join(" ")));
}, fieldsMax);

function mailbox(address: string, name: string): string {
  const text = oneLine(name);
  const phrase = needsEncoding(text) ? encoded(text) : `"${text.replace(/["\\]/g, "\\$&")}"`;
  return `${phrase} <${oneLine(address)}>`;
}

function unstructured(text: string): string {
  const line = oneLine(text).trim();
  return needsEncoding(line) ? encoded(line) : line;
}

/** Also true for a text that could not be folded, or that looks like an encoded word. */
function needsEncoding(text: string): boolean {
  return !/^[\x20-\x7e]*$/.test(text) || /[^ ]{60}| {60}/.test(text) || text.includes("=?");
}

/** Encoded words (RFC 2047), each short enough for a line. */
function encoded(text: string): string {
  return encodeWord(text, "Q", 52);
}

/** A value must not start another header line. */
function oneLine(text: string): string {
  return noControls.test(text) ? text : text.replace(/\p{Cc}+/gu, " ");
}

function rawField(name: string, value: string): string {
  if (
    !/^[\w-]{1,76}$/.test(name) ||
    !/^[\x21-\x7e](?:[\t\x20-\x7e]{0,898}[\x21-\x7e])?$/.test(value)
  ) {
    throw new Error(`not a header field: ${name}`);
  }
  return foldField(name, value);
}

/**
 * A header field, folded before white space (RFC 5322, 2.2.3) so that its lines have at most 78
 * characters where that is possible: a part without white space stays on one line. Without the
 * CRLFs the field is as it was, so a signature over either form is valid.
 */
function foldField(name: string, value: string): string {
  const fits = name.length + 2 + value.length <= lineCharsMax;
  if (fits && value !== "" && value === value.trim()) return `${name}: ${value}`;
  return foldPieces(`${name}:`, ` ${value}`.match(/[ \t]+[^ \t]+/g) ?? []);
}

/**
 * Joins pieces, with a CRLF between two where the line would get too long. A piece that begins a
 * line must begin with white space: it gets a space where it has none.
 */
function foldPieces(start: string, pieces: Iterable<string>): string {
  let field = start;
  let lineChars = start.length;
  for (const piece of pieces) {
    if (lineChars + piece.length <= lineCharsMax) {
      field += piece;
      lineChars += piece.length;
      continue;
    }
    const line = /^[ \t]/.test(piece) ? piece : ` ${piece}`;
    field += `\r\n${line}`;
    lineChars = line.length;
  }
  return field;
}

/**
 * The signed fields: those that a mail program shows or acts on. List-Unsubscribe-Post counts only
 * when it is signed
 * (RFC 8058, 4). Must not contain fields that the provider removes.
 */
const signedFields =
  "From:To:Subject:Date:Message-ID:MIME-Version:Content-Type:List-Unsubscribe:List-Unsubscribe-Post:Auto-Submitted:Feedback-ID";

/**
 * The message with a DKIM-Signature (RFC 6376, rsa-sha256, relaxed/relaxed) before its first field.
 * The canonical forms are nodemailer's, without its streams. Its signer would block the event loop
 * with RSA; here another thread signs. Takes a whole message that ends with CRLF.
 */
export async function signDkim(content: Buffer, options: DkimOptions): Promise<Buffer> {
  const headEnd = content.indexOf("\r\n\r\n");
  // Latin-1 keeps each byte as it is: an address in the header may be UTF-8.
  const lines = content
    .subarray(0, headEnd)
    .toString("latin1")
    .split(/\r\n(?![ \t])/);
  const fields = lines.map((line) => ({
    key: line.slice(0, line.indexOf(":")).toLowerCase(),
    line,
  }));
  const signed = sign.relaxedHeaders(fields, signedFields);
  const tags = [
    "v=1",
    "a=rsa-sha256",
    "c=relaxed/relaxed",
    `d=${options.domain}`,
    "q=dns/txt",
    `s=${options.selector}`,
    `bh=${bodyHash(content.subarray(headEnd + 4))}`,
  ];
  // White space is also allowed around the colons of h= (RFC 6376, 3.5).
  const names = `h=${signed.fieldNames};`.split(/(?<=:)/);
  const pieces = [
    ...tags.map((tag) => ` ${tag};`),
    ...names.map((name, at) => (at ? name : ` ${name}`)),
  ];
  const field = `${foldPieces("DKIM-Signature:", pieces)}\r\n b=`;
  const own = sign.relaxedHeaders([{ key: "dkim-signature", line: field }], "dkim-signature");
  const signature = await rsaSha256(signed.headers + own.headers.trimEnd(), options.key);
  const folded = signature.replace(/.{72}(?=.)/g, "$&\r\n ");
  return Buffer.concat([Buffer.from(`${field}${folded}\r\n`), content]);
}

function bodyHash(body: Buffer): string {
  const relaxed = new RelaxedBody({ hashAlgo: "sha256" });
  relaxed.updateHash(body, true);
  return relaxed.bodyHash.digest("base64");
}

function rsaSha256(latin1: string, key: KeyObject): Promise<string> {
  return new Promise((resolve, reject) => {
    signBytes("sha256", Buffer.from(latin1, "latin1"), key, (error, signature) => {
      if (error) reject(error);
      else resolve(signature.toString("base64"));
    });
  });
}
