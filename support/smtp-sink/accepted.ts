/** What the sink accepted: the newest messages whole, and a count of every Message-ID. */
export interface AcceptedMessage {
  /** Left of the @ in the Message-ID header: the id that the sender's service gave the mail. */
  readonly messageId: string;
  readonly from: string;
  readonly to: readonly string[];
  /** Header and content as they came, dots unstuffed. */
  readonly data: string;
  /** Unix ms, with fractions. */
  readonly at: number;
}

const idsMax = 5_000_000;

export class AcceptedMessages {
  readonly #keepMax: number;
  #messages: AcceptedMessage[] = [];
  #counts = new Map<string, number>();
  #total = 0;

  constructor(options: { readonly keepMax: number }) {
    this.#keepMax = options.keepMax;
  }

  /** The newest `keepMax` messages (at times up to twice as many), oldest first. */
  get messages(): readonly AcceptedMessage[] {
    return this.#messages;
  }

  get total(): number {
    return this.#total;
  }

  get counts(): ReadonlyMap<string, number> {
    return this.#counts;
  }

  add(message: Omit<AcceptedMessage, "at">): void {
    this.#total += 1;
    this.#messages.push({ ...message, at: performance.timeOrigin + performance.now() });
    if (this.#messages.length > 2 * this.#keepMax) {
      this.#messages = this.#messages.slice(-this.#keepMax);
    }
    const count = this.#counts.get(message.messageId);
    if (count === undefined && this.#counts.size >= idsMax) {
      throw new Error(`the sink counts at most ${idsMax} ids`);
    }
    this.#counts.set(message.messageId, (count ?? 0) + 1);
  }

  clear(): void {
    this.#messages = [];
    this.#counts = new Map();
    this.#total = 0;
  }
}

/** "a1b2" of `Message-ID: <a1b2@example.com>`; undefined when the header has none (yet). */
export function messageIdOf(data: string): string | undefined {
  const end = data.indexOf("\r\n\r\n");
  const header = end < 0 ? data : data.slice(0, end);
  return /^message-id:\s*<([^>@\r\n]+)/im.exec(header)?.[1];
}

/**
 * Reads a message of RFC 5322 as a mail program would: unfolds and decodes the header, finds the
 * text and the HTML. Written apart from what composes our mails, so that a test compares two views.
 */
interface ReadMail {
  /** By name in lower case, unfolded and decoded; of a field that is there twice, the last. */
  readonly headers: ReadonlyMap<string, string>;
  readonly subject: string;
  readonly text: string;
  readonly html: string;
}

interface Entity {
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

export function readMail(data: string): ReadMail {
  const mail = readEntity(data);
  const parts = partsOf(mail);
  const content = (type: string) => {
    const part = parts.find(({ headers }) => (headers.get("content-type") ?? "").startsWith(type));
    return part === undefined ? "" : decodeBody(part);
  };
  return {
    headers: mail.headers,
    subject: mail.headers.get("subject") ?? "",
    text: content("text/plain"),
    html: content("text/html"),
  };
}

function readEntity(data: string): Entity {
  const end = data.indexOf("\r\n\r\n");
  const head = (end < 0 ? data : data.slice(0, end)).replace(/\r\n(?=[ \t])/g, "");
  const headers = new Map<string, string>();
  for (const line of head.split("\r\n")) {
    const colon = line.indexOf(":");
    if (colon < 1) continue;
    headers.set(line.slice(0, colon).toLowerCase(), decodeWords(line.slice(colon + 1).trim()));
  }
  return { headers, body: end < 0 ? "" : data.slice(end + 4) };
}

function partsOf(mail: Entity): readonly Entity[] {
  const boundary = /boundary="?([^";]+)"?/.exec(mail.headers.get("content-type") ?? "")?.[1];
  if (boundary === undefined) return [mail];
  const pieces = `\r\n${mail.body}`.split(`\r\n--${boundary}`).slice(1, -1);
  return pieces.map((piece) => readEntity(piece.replace(/^\r\n/, ""))).flatMap(partsOf);
}

function decodeBody({ headers, body }: Entity): string {
  const encoding = headers.get("content-transfer-encoding")?.toLowerCase() ?? "7bit";
  if (encoding === "base64") return Buffer.from(body, "base64").toString("utf8");
  if (encoding !== "quoted-printable") return body;
  return decodeHex(body.replace(/=[ \t]*\r\n/g, ""));
}

/** Encoded words (RFC 2047); white space between two of them is no part of the text. */
function decodeWords(value: string): string {
  return value
    .replace(/(=\?[^? ]+\?[QqBb]\?[^? ]*\?=)[ \t]+(?==\?)/g, "$1")
    .replace(/=\?[^? ]+\?([QqBb])\?([^? ]*)\?=/g, (_, encoding: string, text: string) =>
      encoding.toUpperCase() === "B"
        ? Buffer.from(text, "base64").toString("utf8")
        : decodeHex(text.replaceAll("_", " ")),
    );
}

function decodeHex(text: string): string {
  const bytes = text.replace(/=([0-9A-Fa-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return Buffer.from(bytes, "latin1").toString("utf8");
}
