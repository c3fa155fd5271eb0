/** A mail that was kept instead of sent. */
export interface InboxMail {
  /** Grows with each mail; never used twice. */
  readonly id: number;
  /** The event's; two mails of one event are two rows. */
  readonly messageId: string;
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  readonly html: string;
  /** Message-ID first, then the message's further fields. */
  readonly headers: Readonly<Record<string, string>>;
  /** Unix ms. */
  readonly receivedAt: number;
}

/** The newest 1,000 mails of `EMAIL_MODE=log`, on a SQLite file that several processes may share. */
export interface Inbox {
  /** Newest first, at most `limit` (up to 1,000); with `before`, those with a smaller id. */
  list(limit: number, before?: number): readonly InboxMail[];
  /** The newest, at most `limit`, that hold `words` in recipient, subject, text or message_id. */
  search(words: string, limit: number): readonly InboxMail[];
  find(id: number): InboxMail | undefined;
  count(): number;
  /** Resolves with the mail as it is kept; the oldest beyond 1,000 is gone then. */
  add(mail: Omit<InboxMail, "id">): Promise<InboxMail>;
  clear(): Promise<void>;
}
