import { describe, expect, test } from "bun:test";
import {
  findQueueId,
  findRetryAfterMs,
  maskAddresses,
  parseReply,
  printReply,
} from "../../src/email/mailer/reply.ts";

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
