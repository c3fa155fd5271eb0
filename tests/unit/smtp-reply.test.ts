import { describe, expect, test } from "bun:test";
import {
  classifyReply,
  findQueueId,
  findRetryAfterMs,
  maskAddresses,
  parseReply,
  printReply,
} from "../../src/email/mailer/reply.ts";
import type { ReplyStage, ReplyVerdict } from "../../src/email/mailer/reply-table.ts";
import { replyRows } from "../../src/email/mailer/reply-table.ts";

describe("A reply", () => {
  test("gives its codes", () => {
    expect(parseReply("550 5.1.1 User unknown")).toEqual({
      code: 550,
      enhancedCode: "5.1.1",
      reply: "550 5.1.1 User unknown",
    });
    expect(parseReply("451 later")).toMatchObject({ code: 451, enhancedCode: undefined });
    expect(parseReply("hello 550")).toBeUndefined();
    expect(parseReply("5501 odd")).toBeUndefined();
  });

  test("of several lines becomes one", () => {
    expect(printReply("550-5.7.1 first\n550-5.7.1 second\n550 third")).toBe(
      "550 5.7.1 first second third",
    );
  });

  test("shows no full address, wherever it stands", () => {
    const text = "550 <ana.b+c@example.com>: bo@example.com, RCPT:c@x.org is (d@y.org) unknown";
    expect(printReply(text)).toBe(
      "550 <a***@example.com>: b***@example.com, RCPT:c***@x.org is (d***@y.org) unknown",
    );
    expect(maskAddresses("jörg@bücher.example")).toBe("j***@bücher.example");
  });

  test("is at most 500 characters, and an address is not cut to something readable", () => {
    for (const length of [480, 490, 495, 1_990, 1_995]) {
      const text = printReply(`550 ${"x ".repeat(length / 2)}anabella@example.com unknown`);
      expect(text.length).toBeLessThanOrEqual(500);
      expect(text).not.toContain("anab");
    }
  });

  test("of a mebibyte without an @ takes no time", () => {
    const startedAt = performance.now();
    parseReply(`550 ${"x".repeat(1024 * 1024)}`);
    expect(performance.now() - startedAt).toBeLessThan(200);
  });

  test("has no control characters", () => {
    expect(printReply("550 a\u0007b\r\n550 c\u001b[31m")).toBe("550 a b c [31m");
  });
});

describe("The queue id", () => {
  const rows = {
    "250 2.0.0 Ok: queued as 4XyZ12abCD": "4XyZ12abCD",
    "250 Ok: queued as qTW_2hSQS-6.qkc": "qTW_2hSQS-6.qkc",
    "250 OK id=1rPq2s-0005Ab-1c": "1rPq2s-0005Ab-1c",
    "250 2.0.0 41AB2CdE012345 Message accepted for delivery": "41AB2CdE012345",
    "250 Ok 0102018d5f0e-2f3d4c5b-1111-4a4a-000000": "0102018d5f0e-2f3d4c5b-1111-4a4a-000000",
    "250 2.0.0 OK  1700000000 a1-20020a05600c.12 - gsmtp": "a1-20020a05600c.12",
    "250 2.0.0 Ok": undefined,
    "250 thank you": undefined,
  };
  for (const [reply, id] of Object.entries(rows)) {
    test(`of "${reply}" is ${id}`, () => expect(findQueueId(reply)).toBe(id));
  }
});

describe("The delay", () => {
  const rows = {
    "450 4.2.0 Greylisted, try again in 300 seconds": 300_000,
    "451 4.7.1 Please try again in 5 minutes": 300_000,
    "450 Try again after 90s": 90_000,
    "451 Retry in 1 hour": 3_600_000,
    "451 4.7.1 Greylisting in action, please come back in 00:05:30": 330_000,
    "450 try again later, in 30": 30_000,
    "451 4.7.1 try again later": undefined,
    "450 4.2.1 mailbox busy since 300 seconds": undefined,
  };
  for (const [reply, delay] of Object.entries(rows)) {
    test(`of "${reply}" is ${delay}`, () => expect(findRetryAfterMs(reply)).toBe(delay));
  }
});

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
