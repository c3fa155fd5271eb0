import { join } from "node:path";
import { silentLog } from "../../src/core/log.ts";
import { openSqlite } from "../../src/core/sqlite/database.ts";
import { systemClock } from "../../src/core/time.ts";
import { openInbox, openInboxMailer } from "../../src/email/mailer/inbox/inbox.ts";
import { MailServers } from "../../src/email/mailer/mail-servers.ts";
import { openSmtpMailer } from "../../src/email/mailer/smtp/smtp.ts";
import { readMail } from "../../support/smtp-sink/accepted.ts";
import type { SmtpSink } from "../../support/smtp-sink/smtp-sink.ts";
import { openSmtpSink } from "../../support/smtp-sink/smtp-sink.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import type { ArrivedMail } from "../contract/mailer.ts";
import { testMailer } from "../contract/mailer.ts";

testMailer("the inbox", async () => {
  const directory = temporaryDirectory();
  const database = await openSqlite(join(directory.path, "email.sqlite"));
  const mailer = await openInboxMailer({ database });
  const inbox = await openInbox({ database });
  return {
    mailer,
    arrived: () =>
      inbox
        .list(1_000)
        .toReversed()
        .map((mail) => ({
          ...mail,
          header: (name) => mail.headers[name],
          messageIdHeader: mail.headers["Message-ID"] ?? "",
        })),
    [Symbol.asyncDispose]: async () => {
      await mailer.close();
      await database.close();
      directory[Symbol.dispose]();
    },
  };
});

testMailer("SMTP", async () => {
  const sink = await openSmtpSink();
  const mailer = openOn(sink);
  return {
    mailer,
    arrived: () => arrivedIn(sink),
    [Symbol.asyncDispose]: async () => {
      await mailer.close();
      await sink.close();
    },
  };
});

testMailer("two SMTP servers", async () => {
  const sinks = [await openSmtpSink(), await openSmtpSink()];
  const mailer = new MailServers({
    mailers: sinks.map(openOn),
    clock: systemClock,
    log: silentLog,
    refusalsMax: 10,
    pauses: true,
  });
  return {
    mailer,
    arrived: () => sinks.flatMap(arrivedIn),
    [Symbol.asyncDispose]: async () => {
      await mailer.close();
      for (const sink of sinks) await sink.close();
    },
  };
});

function openOn({ port }: SmtpSink) {
  return openSmtpMailer({
    host: "127.0.0.1",
    port,
    tls: "none",
    connections: 5,
    connectTimeoutMs: 5_000,
    greetingTimeoutMs: 5_000,
    replyTimeoutMs: 5_000,
    from: "noreply@example.com",
    fromName: "Example",
  });
}

function arrivedIn({ accepted }: SmtpSink): readonly ArrivedMail[] {
  return accepted.map(({ messageId, to, data }) => {
    const { subject, text, html, headers } = readMail(data);
    const header = (name: string) => headers.get(name.toLowerCase());
    const messageIdHeader = header("Message-ID") ?? "";
    return { messageId, to: to.join(), subject, text, html, header, messageIdHeader };
  });
}
