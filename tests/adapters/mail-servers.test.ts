import { silentLog } from "../../src/core/log.ts";
import { systemClock } from "../../src/core/time.ts";
import { MailServers } from "../../src/email/mailer/mail-servers.ts";
import { openSmtpMailer } from "../../src/email/mailer/smtp/smtp.ts";
import { readMail } from "../../support/smtp-sink/accepted.ts";
import { openSmtpSink } from "../../support/smtp-sink/smtp-sink.ts";
import { testMailer } from "../contract/mailer.ts";

testMailer("two SMTP servers", async () => {
  const sinks = [await openSmtpSink(), await openSmtpSink()];
  const shared = { host: "127.0.0.1", tls: "none", connections: 5, from: "noreply@example.com" };
  const timeouts = { connectTimeoutMs: 5_000, greetingTimeoutMs: 5_000, replyTimeoutMs: 5_000 };
  const mailer = new MailServers({
    mailers: sinks.map(({ port }) =>
      openSmtpMailer({ ...shared, ...timeouts, tls: "none", fromName: "Example", port }),
    ),
    clock: systemClock,
    log: silentLog,
    refusalsMax: 10,
    pauses: true,
  });
  return {
    mailer,
    arrived: () =>
      sinks.flatMap(({ accepted }) =>
        accepted.map(({ messageId, to, data }) => {
          const { subject, text, html, headers } = readMail(data);
          const header = (name: string) => headers.get(name.toLowerCase());
          const messageIdHeader = header("Message-ID") ?? "";
          return { messageId, to: to.join(), subject, text, html, header, messageIdHeader };
        }),
      ),
    [Symbol.asyncDispose]: async () => {
      await mailer.close();
      for (const sink of sinks) await sink.close();
    },
  };
});
