import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { createChildContext, createLog, runInTraceContext } from "../../src/core/log.ts";
import type { SqliteDatabase } from "../../src/core/sqlite/database.ts";
import { openSqlite } from "../../src/core/sqlite/database.ts";
import { composeMessage } from "../../src/email/delivery/submission.ts";
import { openInbox, openInboxMailer } from "../../src/email/mailer/inbox/inbox.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { mailEvent, openRenderer } from "../support/mails.ts";

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
        await inbox.add([{ ...mail, messageId, headers: {}, receivedAt: 1 }]);
      }
      const [newest, next] = inbox.list(2);
      expect([newest?.messageId, next?.messageId]).toEqual(["c", "b"]);
      expect(inbox.list(2, next?.id).map(({ messageId }) => messageId)).toEqual(["a"]);
    }));

  test("finds mails by a part of recipient, subject, text or id, whatever the case", () =>
    withDatabase(async (database) => {
      const inbox = await openInbox({ database });
      const add = (fields: object) =>
        inbox.add([{ ...mail, headers: {}, receivedAt: 1, ...fields }]);
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
      const add = () => inbox.add([{ ...mail, headers: {}, receivedAt: 1 }]);
      await Promise.all(Array.from({ length: 1_003 }, add));
      expect(inbox.count()).toBe(1_000);
      expect(inbox.find(3)).toBeUndefined();
      expect(inbox.find(4)).toMatchObject({ id: 4 });
      await inbox.clear();
      expect(inbox.count()).toBe(0);
      expect(await add()).toBe(1_004);
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

  test("renders a mail from what it was made of, when it is read", () =>
    withDatabase(async (database) => {
      const mailer = await openInboxMailer({ database });
      const render = openRenderer();
      const deps = {
        clock: new FakeClock(),
        unsubscribeLink: () => "https://acme.example/unsubscribe/token",
        feedbackSender: "acme-mails",
        render,
      };
      const message = composeMessage(deps, mailEvent("welcome", { username: "<ana>" }));
      await mailer.send(message, allow);
      const [kept] = (await openInbox({ database, render })).list(1);
      expect(kept?.html).toBe(message.html);
      expect(kept?.headers).toMatchObject(message.headers ?? {});
      const stored = database.read((file) => file.query("SELECT mails FROM inbox_batches").get());
      expect(JSON.stringify(stored)).not.toContain("<html");
      const other = await openInbox({ database, render: openRenderer({ fallbackLocale: "es" }) });
      expect(other.list(1)[0]?.html).toContain('<html lang="es"');
      const [unrendered] = (await openInbox({ database })).list(1);
      expect(unrendered?.html).toStartWith("<pre>Acme");
      expect(unrendered?.html).toContain("&lt;ana&gt;");
    }));

  test("keeps the mails of a file of an earlier version, and its ids go on", () =>
    withDatabase(async (database) => {
      await database.migrate("inbox", [
        `CREATE TABLE inbox (
          id INTEGER PRIMARY KEY AUTOINCREMENT, message_id TEXT NOT NULL, recipient TEXT NOT NULL,
          subject TEXT NOT NULL, text TEXT NOT NULL, html TEXT NOT NULL, headers TEXT NOT NULL,
          received_at INTEGER NOT NULL
        ) STRICT`,
      ]);
      const headers = { "Message-ID": "<m1@example.com>" };
      const row = [mail.messageId, mail.to, mail.subject, mail.text, mail.html];
      await database.write((file) => {
        const insert = file.query("INSERT INTO inbox VALUES (NULL, ?, ?, ?, ?, ?, ?, 7)");
        for (let count = 0; count < 3; count += 1) insert.run(...row, JSON.stringify(headers));
        file.run("DELETE FROM inbox WHERE id <> 2");
      });
      const inbox = await openInbox({ database });
      expect(inbox.list(10)).toEqual([{ ...mail, id: 2, headers, receivedAt: 7 }]);
      expect(inbox.count()).toBe(1);
      expect(await inbox.add([{ ...mail, headers, receivedAt: 8 }])).toBe(4);
      expect(inbox.list(10).map(({ id }) => id)).toEqual([4, 2]);
    }));

  test("pages through mails that were stored together, and cuts them at 1,000", () =>
    withDatabase(async (database) => {
      const inbox = await openInbox({ database });
      const add = (count: number) => {
        const entry = { ...mail, headers: {}, receivedAt: 1 };
        return inbox.add(Array.from({ length: count }, () => entry));
      };
      for (const count of [300, 300, 1, 500]) await add(count);
      expect(inbox.count()).toBe(1_000);
      expect(inbox.list(2_000).map(({ id }) => id)).toEqual(
        Array.from({ length: 1_000 }, (_, at) => 1_101 - at),
      );
      expect(inbox.list(3, 602).map(({ id }) => id)).toEqual([601, 600, 599]);
      expect([101, 102, 601, 1_101, 1_102].map((id) => inbox.find(id)?.id)).toEqual([
        undefined,
        102,
        601,
        1_101,
        undefined,
      ]);
      await inbox.clear();
      expect([inbox.count(), inbox.list(10), inbox.find(700)]).toEqual([0, [], undefined]);
      await add(2);
      expect(inbox.list(10).map(({ id }) => id)).toEqual([1_103, 1_102]);
      expect(inbox.count()).toBe(2);
    }));

  test("logs each mail of a batch in its own trace", () =>
    withDatabase(async (database) => {
      const lines: string[] = [];
      const log = createLog({ service: "t", level: "info", write: (line) => lines.push(line) });
      const mailer = await openInboxMailer({ database, log });
      const traces = [createChildContext(undefined), undefined, createChildContext(undefined)];
      await Promise.all(
        traces.map((trace, at) =>
          runInTraceContext(trace, () => mailer.send({ ...mail, messageId: `m${at}` }, allow)),
        ),
      );
      const logged = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
      expect(logged.map((fields) => [fields["messageID"], fields["traceId"]])).toEqual(
        traces.map((trace, at) => [`m${at}`, trace?.traceId]),
      );
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
      await database.write((file) => file.run("DROP TABLE inbox_batches"));
      expect(await mailer.send(mail, allow)).toMatchObject({
        kind: "server_down",
        cause: "system",
        reason: expect.stringContaining("The inbox could not be written"),
      });
    }));
});
