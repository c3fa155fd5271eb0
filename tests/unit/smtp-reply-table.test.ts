import { describe, expect, test } from "bun:test";
import { classifyReply, parseReply } from "../../src/email/mailer/reply.ts";
import type { ReplyStage, ReplyVerdict } from "../../src/email/mailer/reply-table.ts";
import { replyRows } from "../../src/email/mailer/reply-table.ts";

function verdictOf(raw: string, stage: ReplyStage = "recipient"): ReplyVerdict {
  const reply = parseReply(raw);
  if (reply === undefined) throw new Error(`${raw} has no code`);
  return classifyReply(reply, stage);
}

describe("The table of replies", () => {
  for (const { examples, verdict, stage } of replyRows) {
    for (const raw of examples) {
      test(`says ${verdict} of "${raw}"`, () => {
        expect(verdictOf(raw, stage)).toBe(verdict);
        expect(verdictOf(raw.toUpperCase(), stage)).toBe(verdict);
      });
    }
  }

  const servers = replyRows.filter(({ verdict, stage }) => verdict !== "message" && !stage);
  test("says the same of the content as of the recipient, where it is neither's fault", () => {
    for (const { examples, verdict } of servers) {
      for (const raw of examples) expect([raw, verdictOf(raw, "content")]).toEqual([raw, verdict]);
    }
  });
});

describe("Only who surely does not exist is suppressed", () => {
  const others: Readonly<Record<string, ReplyVerdict>> = {
    "550 5.7.1 User unknown": "recipient",
    "550 5.1.1 temporarily disabled": "recipient",
    "550 4.1.1 User unknown": "later",
    "450 5.1.1 User unknown": "later",
    "450 4.1.1 User unknown": "later",
    "550 5.2.1 no": "recipient",
    "550 5.1.10 no": "recipient",
    "550 5.1.3 no": "recipient",
    "550 Mailbox unavailable": "recipient",
    "550 5.7.1 no": "recipient",
    "550 no": "recipient",
    "550-5.7.1 no\r\n550 5.1.1 User unknown": "recipient",
    "550 5.1.1 <user-unknown@b.example> 5.7.1 refused": "recipient",
    "550 5.4.1 Recipient address rejected: Access denied": "recipient",
    "550 5.7.504 [a@b.example]: Recipient address rejected: Access denied": "recipient",
    "550 5.1.1 User unknown (LDAP lookup error)": "recipient",
    "550 Recipient unknown: backend timeout": "recipient",
    "550 5.1.1 user not found: the directory is unavailable": "recipient",
    "550 mailbox disabled, please wait for its activation": "recipient",
    "550 user account suspended temporarily": "recipient",
    "550 account closed": "recipient",
    "550 This account has been disabled": "recipient",
    "550 Sending account disabled": "account",
    "550 recipient address removed from allowed list": "recipient",
    "550 5.1.1 User unknown or not permitted to receive external mail": "recipient",
    "550 5.1.1 <a@b.example>: Recipient address rejected: undeliverable address: mail for b.example loops back to myself":
      "recipient",
    "550 Unrouteable address": "recipient",
    "550 retry timeout exceeded": "recipient",
    "550 5.1.2 <a@b.example>: Recipient address rejected: Domain not found": "recipient",
  };
  for (const [raw, verdict] of Object.entries(others)) {
    test(`"${raw}" is ${verdict}`, () => expect(verdictOf(raw)).toBe(verdict));
  }
});

test("A policy about the content is no login, whatever its enhanced code", () => {
  expect(verdictOf("554 5.7.9 Message not accepted for policy reasons.", "content")).toBe(
    "message",
  );
  expect(verdictOf("550 5.7.133 authentication required", "content")).toBe("recipient");
});

test("At MAIL FROM a 4xx is never about SMTP_FROM, unless it says so", () => {
  expect(verdictOf("451 4.7.1 later", "sender")).toBe("closing");
  expect(verdictOf("452 4.5.3 too many recipients", "sender")).toBe("closing");
  expect(verdictOf("451 4.4.2 timeout", "sender")).toBe("closing");
  expect(verdictOf("451 local error", "sender")).toBe("system");
  expect(verdictOf("450 4.1.8 Sender address rejected: Domain not found", "sender")).toBe(
    "mail_from",
  );
  expect(verdictOf("550 5.7.1 no", "sender")).toBe("mail_from");
});

test("Greylisting is no rate", () => {
  expect(verdictOf("451 4.7.1 Greylisted, try again in 300 seconds")).toBe("later");
  expect(verdictOf("450 4.2.0 Recipient address rejected: Greylisted")).toBe("later");
});

test("A reply of a mebibyte takes no time", () => {
  const startedAt = performance.now();
  for (const words of ["account ", "mailbox ", "is ", "a"]) {
    verdictOf(`550 ${words.repeat(131_072)}`);
  }
  expect(performance.now() - startedAt).toBeLessThan(400);
});
