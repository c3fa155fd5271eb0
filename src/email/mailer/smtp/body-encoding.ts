// The bodies of MIME parts: 7bit where that is enough, quoted-printable (RFC 2045, 6.7) elsewhere.
import type { MailBody } from "../mailer.ts";

export interface EncodedBody {
  readonly encoding: "7bit" | "quoted-printable";
  /** Without a last CRLF, in ASCII. No line is longer than 998 bytes. */
  readonly chunks: readonly Chunk[];
}

/** A part of a message: bytes if it is the same in many mails. */
export type Chunk = string | Buffer;

/**
 * Encodes the pieces of a body once, for all mails that have the same array of them; a mail then
 * adds its encoded values. In quoted-printable a value or the piece behind it begins a line of its
 * own by a soft line break where it would not fit: how long the lines of a piece are does not
 * depend on the values. `dotStuffed`: a dot that begins a line is doubled (RFC 5321, 4.5.2); in
 * quoted-printable there is none.
 */
export function encodeBody({ pieces, values }: MailBody, dotStuffed: boolean): EncodedBody {
  // One piece is of one mail.
  if (pieces.length === 1) return new BodyEncoder(pieces).encode(values, dotStuffed);
  let known = encoders.get(pieces);
  if (known === undefined) {
    known = new BodyEncoder(pieces);
    encoders.set(pieces, known);
  }
  return known.encode(values, dotStuffed);
}

const encoders = new WeakMap<readonly string[], BodyEncoder>();

/** RFC 5322, 2.1.1, without the CRLF. */
const lineBytesMax = 998;
/** RFC 2045, 6.7, without the = of a soft line break. */
const encodedCharsMax = 75;
const softBreak = Buffer.from("=\r\n");

class BodyEncoder {
  readonly #pieces: readonly string[];
  /** Whether 7bit is enough for the pieces. */
  readonly #isPlain: boolean;
  /** The longest line, without the values. */
  readonly #lineBytes: number;
  #plain: readonly Buffer[] | undefined;
  #stuffed: readonly Buffer[] | undefined;
  #quoted: readonly QuotedText[] | undefined;

  constructor(pieces: readonly string[]) {
    this.#pieces = pieces.map(withLineFeeds);
    const all = this.#pieces.join("");
    this.#lineBytes = longestLine(all);
    // A dot behind a value is at the start of a line if the value is empty.
    const isStuffable = this.#pieces.every((piece, at) => at === 0 || !piece.startsWith("."));
    this.#isPlain = isStuffable && !/[^\t\n -~]/.test(all);
  }

  encode(values: readonly string[], dotStuffed: boolean): EncodedBody {
    if (!this.#isPlain || !this.#fit(values)) {
      return { encoding: "quoted-printable", chunks: this.#quote(values) };
    }
    const pieces = this.#plainPieces(dotStuffed);
    const chunks: Chunk[] = [];
    for (let at = 0; at < pieces.length; at += 1) chunks.push(pieces[at] ?? "", values[at] ?? "");
    return { encoding: "7bit", chunks };
  }

  /** Whether the values are plain too, and leave no line too long, wherever they are. */
  #fit(values: readonly string[]): boolean {
    let bytes = this.#lineBytes;
    for (const value of values) {
      if (!plainValue.test(value)) return false;
      bytes += value.length;
    }
    return bytes <= lineBytesMax;
  }

  #plainPieces(dotStuffed: boolean): readonly Buffer[] {
    if (!dotStuffed) {
      this.#plain ??= this.#pieces.map(withCrlf).map(bytesOf);
      return this.#plain;
    }
    this.#stuffed ??= this.#pieces.map(stuffDots).map(withCrlf).map(bytesOf);
    return this.#stuffed;
  }

  #quote(values: readonly string[]): readonly Chunk[] {
    this.#quoted ??= this.#pieces.map((piece) => quote(piece, bytesOf));
    const chunks: Chunk[] = [];
    let column = 0;
    const add = ({ chunk, endColumn }: QuotedText) => {
      const isLine = endColumn === chunk.length;
      if (column > 0 && !(isLine && column + chunk.length <= encodedCharsMax)) {
        chunks.push(softBreak);
        column = 0;
      }
      chunks.push(chunk);
      column = isLine ? column + endColumn : endColumn;
    };
    this.#quoted.forEach((piece, at) => {
      if (piece.beginsWithLineEnd) column = 0;
      if (piece.chunk.length > 0) add(piece);
      const value = values[at];
      if (value !== undefined && value !== "") add(quoteValue(value));
    });
    return chunks;
  }
}

/** Without a regular expression: counting with one takes longer than everything else. */
function longestLine(text: string): number {
  let longest = 0;
  let start = 0;
  for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", start)) {
    longest = Math.max(longest, end - start);
    start = end + 1;
  }
  return Math.max(longest, text.length - start);
}

/** A value that begins with a dot may begin a line. */
const plainValue = /^(?!\.)[\t\x20-\x7e]*$/;

interface QuotedText {
  /** In lines of at most 75 characters and a soft line break. */
  readonly chunk: Chunk;
  readonly beginsWithLineEnd: boolean;
  /** The length of its last line. */
  readonly endColumn: number;
}

function quoteValue(value: string): QuotedText {
  if (!needsNoQuoting.test(value)) return quote(value);
  return { chunk: value, beginsWithLineEnd: false, endColumn: value.length };
}

const needsNoQuoting =
  /^(?!\.)[\x21-\x3c\x3e-\x7e](?:[\x20-\x3c\x3e-\x7e]{0,70}[\x21-\x3c\x3e-\x7e])?$/;

function quote(text: string, toChunk: (quoted: string) => Chunk = (quoted) => quoted): QuotedText {
  const escaped = withLineFeeds(text)
    .replaceAll("=", "=3D")
    .replace(/[^\t\n -~]+/g, quoteBytes);
  const quoted = escaped.split("\n").map(breakLine).join("\r\n");
  return {
    chunk: toChunk(quoted),
    beginsWithLineEnd: quoted.startsWith("\r\n"),
    endColumn: quoted.length - (quoted.lastIndexOf("\n") + 1),
  };
}

/** A blank at the end of a line would be removed on the way. */
function breakLine(line: string): string {
  const endsBlank = line.endsWith(" ") || line.endsWith("\t");
  let rest = endsBlank ? line.slice(0, -1) + quoteBytes(line.slice(-1)) : line;
  let broken = "";
  for (;;) {
    if (rest.startsWith(".")) rest = quoteBytes(".") + rest.slice(1);
    if (rest.length <= encodedCharsMax) return broken + rest;
    const cut = rest.lastIndexOf("=", encodedCharsMax - 1);
    const end = cut > encodedCharsMax - 3 ? cut : encodedCharsMax; // =XX stays whole
    broken += `${rest.slice(0, end)}=\r\n`;
    rest = rest.slice(end);
  }
}

function quoteBytes(text: string): string {
  let quoted = "";
  for (const byte of Buffer.from(text)) quoted += quotedBytes[byte];
  return quoted;
}

const quotedBytes = Array.from({ length: 256 }, (_, byte) => {
  return `=${byte.toString(16).toUpperCase().padStart(2, "0")}`;
});

function withLineFeeds(text: string): string {
  return text.includes("\r") ? text.replace(/\r\n?/g, "\n") : text;
}

function stuffDots(text: string): string {
  const within = text.replaceAll("\n.", "\n..");
  return within.startsWith(".") ? `.${within}` : within;
}

function withCrlf(text: string): string {
  return text.replaceAll("\n", "\r\n");
}

function bytesOf(ascii: string): Buffer {
  return Buffer.from(ascii, "latin1");
}
