import { expect, test } from "bun:test";
import { join } from "node:path";
import { languageTags } from "../../src/core/languages.ts";
import { systemClock } from "../../src/core/time.ts";
import { composeMessage } from "../../src/email/delivery/submission.ts";
import { decodeEmailEvent, isOptionalType } from "../../src/email/event.ts";
import { openSmtpMailer } from "../../src/email/mailer/smtp/smtp.ts";
import { eventTypes, samplesOf } from "../../src/email/mails/mail-types.tsx";
import { createMailRenderer } from "../../src/email/templates/mail-renderer.tsx";
import { findEngine } from "../../support/engines.ts";
import { openSmtpSink } from "../../support/smtp-sink/smtp-sink.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { testDkim } from "../support/dkim.ts";

const spamassassin = findEngine("spamassassin");
const scoreMax = 0.1;
/**
 * Nothing that asks the network or learns; the lines that a mail gets say its score. MIXED_ES counts
 * a Cyrillic text with more than 20 Latin "e" (an address, a link) as a disguise: that is the
 * language, and nothing that a mail could change.
 */
const settings = [
  "use_bayes 0",
  "score MIXED_ES 0",
  "clear_headers",
  "add_header all Status score=_SCORE_ tests=_TESTS_",
].join("\n");

/** Every sample of every mail in every language, signed, as an SMTP server got it. */
async function sendAll(): Promise<readonly string[]> {
  await using sink = await openSmtpSink();
  await using mailer = openSmtpMailer({
    host: "127.0.0.1",
    port: sink.port,
    tls: "none",
    connections: 1,
    connectTimeoutMs: 5000,
    greetingTimeoutMs: 5000,
    replyTimeoutMs: 5000,
    from: "noreply@example.com",
    fromName: "Acme",
    dkim: testDkim,
  });
  const render = createMailRenderer({
    appName: "Acme",
    fallbackLocale: "en",
    codeInSubject: false,
  });
  const now = Date.now();
  for (const type of eventTypes) {
    const unsubscribeLink = () =>
      isOptionalType(type) ? `https://example.com/unsubscribe/${"t".repeat(100)}` : undefined;
    const deps = { clock: systemClock, render, unsubscribeLink, feedbackSender: "acme-mails" };
    for (const { name, data } of samplesOf(type, now)) {
      for (const locale of languageTags) {
        const wire = {
          message_id: `${type}.${name}.${locale}`,
          event_type: type,
          timestamp: new Date(now).toISOString(),
          recipient: "ana@example.org",
          data: { ...data, locale },
        };
        const decoded = decodeEmailEvent(Buffer.from(JSON.stringify(wire)));
        if (decoded.kind === "poison") throw new Error(decoded.reason);
        const options = { beforeContentEnds: async () => true };
        const sent = await mailer.send(composeMessage(deps, decoded.event), options);
        expect(sent.kind).toBe("accepted");
      }
    }
  }
  return sink.accepted.map(({ data }) => data);
}

test.skipIf(spamassassin === undefined)(
  "no mail, in no language, looks like spam to SpamAssassin",
  async () => {
    const mails = await sendAll();
    const mailbox = mails
      .map((mail) => `From test Thu Jan  1 00:00:00 2026\n${mail.replaceAll("\r\n", "\n")}\n`)
      .join("");
    const command = [spamassassin ?? "", "--local", `--cf=${settings}`, "--mbox"];
    using directory = temporaryDirectory();
    const preferences = join(directory.path, "user_prefs");
    await Bun.write(preferences, "");
    const child = Bun.spawn([...command, `--prefspath=${preferences}`], {
      stdin: Buffer.from(mailbox),
      stdout: "pipe",
      stderr: "ignore",
    });
    const judged = await new Response(child.stdout).text();
    const verdicts = [
      ...judged.matchAll(/^X-Spam-Status: score=(-?[\d.]+) tests=([^:]*?)$(?=\n\S)/gm),
    ].map(([, score, tests = ""]) => ({ score: Number(score), tests: tests.replace(/\s+/g, "") }));
    expect(verdicts).toHaveLength(mails.length);
    expect(verdicts.filter(({ score }) => score > scoreMax)).toEqual([]);
  },
  60_000,
);
