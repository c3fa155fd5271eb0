import { openSmtpMailer } from "../../src/email/mailer/smtp/smtp.ts";
import { readMail } from "../../support/smtp-sink/accepted.ts";
import { openSmtpSink } from "../../support/smtp-sink/smtp-sink.ts";
import { testMailer } from "../contract/mailer.ts";

testMailer("SMTP", async () => {
  const sink = await openSmtpSink();
  const mailer = openSmtpMailer({
    host: "127.0.0.1",
    port: sink.port,
    tls: "none",
    connections: 5,
    connectTimeoutMs: 5_000,
    greetingTimeoutMs: 5_000,
    replyTimeoutMs: 5_000,
    from: "noreply@example.com",
    fromName: "Example",
  });
  return {
    mailer,
    arrived: () =>
      sink.accepted.map(({ messageId, to, data }) => {
        const { subject, text, html, headers } = readMail(data);
        const header = (name: string) => headers.get(name.toLowerCase());
        const messageIdHeader = header("Message-ID") ?? "";
        return { messageId, to: to.join(), subject, text, html, header, messageIdHeader };
      }),
    [Symbol.asyncDispose]: async () => {
      await mailer.close();
      await sink.close();
    },
  };
});
