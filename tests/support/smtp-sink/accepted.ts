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
