/** How servers name the message they queued; the first that fits. Replies are free text. */
const forms = [
  /\bqueued as ([\w.-]{4,100})/i, // Postfix, SendGrid
  /\bid=([\w-]{6,100})/, // Exim
  /^250[ -](?:2\.\d\.\d )?([A-Za-z0-9]{8,40}) Message accepted/m, // Sendmail
  /^250[ -]Ok ([0-9a-f-]{20,100})\s*$/im, // Amazon SES
  /\bOK +\d+ ([\w.-]{8,100}) - gsmtp/, // Gmail
] as const;

/** The server's queue id of an accepted message, for asking its administrator; often undefined. */
export function findQueueId(reply: string): string | undefined {
  const text = reply.slice(0, 2_000);
  for (const form of forms) {
    const id = form.exec(text)?.[1];
    if (id !== undefined) return id;
  }
  return undefined;
}
