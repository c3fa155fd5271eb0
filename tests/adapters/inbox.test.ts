import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { createLog } from "../../src/core/log.ts";
import type { SqliteDatabase } from "../../src/core/sqlite/database.ts";
import { openSqlite } from "../../src/core/sqlite/database.ts";
import { openInbox, openInboxMailer } from "../../src/email/mailer/inbox/inbox.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { FakeClock } from "../support/fake-clock.ts";

const mail = {
  messageId: "m1",
  to: "ana@example.com",
  subject: "Your code",
  text: "123456",
  html: "<p>123456</p>",
};
const allow = { beforeContentEnds: async () => true };

async function withDatabase(use: (database: SqliteDatabase) => Promise<void>): Promise<void> {
  using directory = temporaryDirectory();
  await using database = await openSqlite(join(directory.path, "email.sqlite"));
  await use(database);
}

describe("The inbox", () => {
  test("lists the newest first, page by page", () =>
    withDatabase(async (database) => {
      const inbox = await openInbox({ database });
      for (const messageId of ["a", "b", "c"]) {
        await inbox.add({ ...mail, messageId, headers: {}, receivedAt: 1 });
      }
      const [newest, next] = inbox.list(2);
      expect([newest?.messageId, next?.messageId]).toEqual(["c", "b"]);
      expect(inbox.list(2, next?.id).map(({ messageId }) => messageId)).toEqual(["a"]);
    }));

  test("finds mails by a part of recipient, subject, text or id, whatever the case", () =>
    withDatabase(async (database) => {
      const inbox = await openInbox({ database });
      const add = (fields: object) => inbox.add({ ...mail, headers: {}, receivedAt: 1, ...fields });
      await add({ messageId: "one" });
      await add({
        messageId: "two",
        to: "Bob_100%@example.com",
        subject: "Welcome",
        text: "hello",
      });
      const find = (words: string) => inbox.search(words, 10).map(({ messageId }) => messageId);
      expect(find("example.com")).toEqual(["two", "one"]);
      expect(find("bob_100%@")).toEqual(["two"]);
      expect(find("123456")).toEqual(["one"]);
      expect(find("WELCOME")).toEqual(["two"]);
      expect(find("%")).toEqual(["two"]);
      expect(find("nothing like it")).toEqual([]);
      expect(inbox.search("example", 1)).toHaveLength(1);
    }));

  test("keeps the newest 1,000 and never uses an id twice", () =>
    withDatabase(async (database) => {
      const inbox = await openInbox({ database });
      const add = () => inbox.add({ ...mail, headers: {}, receivedAt: 1 });
      await Promise.all(Array.from({ length: 1_003 }, add));
      expect(inbox.count()).toBe(1_000);
      expect(inbox.find(3)).toBeUndefined();
      expect(inbox.find(4)).toMatchObject({ id: 4 });
      await inbox.clear();
      expect(inbox.count()).toBe(0);
      expect((await add()).id).toBe(1_004);
    }));

  test("is shared by all that open the file", () =>
    withDatabase(async (database) => {
      const clock = new FakeClock();
      const mailer = await openInboxMailer({ database, clock, from: "hello@example.com" });
      await mailer.send({ ...mail, headers: { "Auto-Submitted": "auto-generated" } }, allow);
      await using other = await openSqlite(database.path);
      expect((await openInbox({ database: other })).list(10)).toEqual([
        {
          ...mail,
          id: 1,
          headers: { "Message-ID": "<m1@example.com>", "Auto-Submitted": "auto-generated" },
          receivedAt: clock.now(),
        },
      ]);
    }));

  test("logs a mail's text when it is given a log, and never the full address", () =>
    withDatabase(async (database) => {
      const lines: string[] = [];
      const log = createLog({ service: "t", level: "info", write: (line) => lines.push(line) });
      const mailer = await openInboxMailer({ database, log });
      await mailer.send(mail, allow);
      expect(lines.length).toBe(1);
      expect(JSON.parse(lines[0] ?? "")).toMatchObject({ messageID: "m1", text: "123456" });
      expect(lines[0]).not.toContain("ana@");
    }));

  test("that cannot be written is a server that is down, not an exception", () =>
    withDatabase(async (database) => {
      const mailer = await openInboxMailer({ database });
      await database.write((file) => file.run("DROP TABLE inbox"));
      expect(await mailer.send(mail, allow)).toMatchObject({
        kind: "server_down",
        cause: "system",
        reason: expect.stringContaining("The inbox could not be written"),
      });
    }));
});
