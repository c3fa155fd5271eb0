import { join } from "node:path";
import { openSqlite } from "../../src/core/sqlite/database.ts";
import { openInbox, openInboxMailer } from "../../src/email/mailer/inbox/inbox.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
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
