import { describe, expect, test } from "bun:test";
import { generateKeyPairSync } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ConfigProblem, Environment } from "../../src/core/config.ts";
import { parseConfig } from "../../src/core/config.ts";
import { defaultEhloName, resolveSmtp, smtpFields } from "../../src/email/mailer/smtp/config.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { testDkimPem } from "../support/dkim.ts";

function resolve(environment: Environment) {
  const problems: ConfigProblem[] = [];
  const { smtp } = parseConfig({ smtp: smtpFields }, environment);
  const submission = resolveSmtp(smtp, problems);
  return { submission, names: problems.map(({ name }) => name) };
}

const needed = { SMTP_HOST: "smtp.example.com", SMTP_FROM: "NoReply@Bücher.example" };

describe("The SMTP settings", () => {
  test("need a host and a sender, and have defaults for the rest", () => {
    expect(resolve(needed)).toEqual({
      names: [],
      submission: {
        host: "smtp.example.com",
        port: 587,
        tls: "starttls",
        user: undefined,
        password: undefined,
        ca: undefined,
        from: "NoReply@xn--bcher-kva.example",
        fromName: undefined,
        envelopeFrom: "NoReply@xn--bcher-kva.example",
        idempotencyHeader: undefined,
        dkim: undefined,
        connections: 20,
        mailsPerSecondMax: 0,
        connectTimeoutMs: 10_000,
        greetingTimeoutMs: 10_000,
        replyTimeoutMs: 30_000,
        contentTimeoutMs: 180_000,
        finalReplyTimeoutMs: 600_000,
        messagesPerConnectionMax: 0,
        ehloName: expect.stringMatching(/^[\w-]+(\.[\w-]+)+$/),
      },
    });
  });

  test("that are missing or do not fit together are named all at once", () => {
    const { submission, names } = resolve({
      SMTP_USER: "mailer",
      SMTP_TLS: "none",
      SMTP_CA_FILE: "/nowhere.pem",
    });
    expect(submission).toBeUndefined();
    expect(names).toEqual([
      "SMTP_HOST",
      "SMTP_FROM",
      "SMTP_PASSWORD",
      "SMTP_CA_FILE",
      "SMTP_CA_FILE",
    ]);
  });

  test("read the authorities from a file, which must hold one", () => {
    using directory = temporaryDirectory();
    const path = join(directory.path, "ca.pem");
    writeFileSync(path, "not a certificate");
    expect(resolve({ ...needed, SMTP_CA_FILE: path }).names).toEqual(["SMTP_CA_FILE"]);
    const pem = "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n";
    writeFileSync(path, pem);
    expect(resolve({ ...needed, SMTP_CA_FILE: path }).submission?.ca).toBe(pem);
  });

  test("take a DKIM key from a file, or from one line, and only whole", () => {
    using directory = temporaryDirectory();
    const path = join(directory.path, "dkim.pem");
    writeFileSync(path, testDkimPem);
    const dkim = { DKIM_DOMAIN: "Example.com", DKIM_SELECTOR: "s1" };
    const fromFile = resolve({ ...needed, ...dkim, DKIM_PRIVATE_KEY_FILE: path });
    expect(fromFile.submission?.dkim).toMatchObject({ domain: "example.com", selector: "s1" });
    const oneLine = testDkimPem.replaceAll("\n", "\\n");
    const fromLine = resolve({ ...needed, ...dkim, DKIM_PRIVATE_KEY: oneLine });
    expect(fromLine.submission?.dkim?.key.asymmetricKeyType).toBe("rsa");
    expect(resolve({ ...needed, DKIM_DOMAIN: "example.com" }).names).toEqual([
      "DKIM_SELECTOR",
      "DKIM_PRIVATE_KEY",
    ]);
  });

  const poorKeys = {
    "no key": "hello",
    "an Ed25519 key": generateKeyPairSync("ed25519").privateKey,
    "a short key": generateKeyPairSync("rsa", { modulusLength: 512 }).privateKey,
  };
  for (const [name, key] of Object.entries(poorKeys)) {
    test(`refuse ${name} for DKIM, and never show it`, () => {
      const pem = typeof key === "string" ? key : key.export({ type: "pkcs8", format: "pem" });
      const dkim = { DKIM_DOMAIN: "example.com", DKIM_SELECTOR: "s1", DKIM_PRIVATE_KEY: `${pem}` };
      const { names, submission } = resolve({ ...needed, ...dkim });
      expect(submission).toBeUndefined();
      expect(names).toEqual(["DKIM_PRIVATE_KEY"]);
    });
  }

  test("refuse a sender that many servers refuse", () => {
    const from = { SMTP_FROM: "jörg@example.com", SMTP_ENVELOPE_FROM: "böunce@example.com" };
    expect(resolve({ ...needed, ...from }).names).toEqual(["SMTP_FROM", "SMTP_ENVELOPE_FROM"]);
  });

  test("introduce us by a name that RFC 5321 allows, never by an address that is none", () => {
    expect(defaultEhloName("a@example.com", "db.internal.net")).toBe("db.internal.net");
    for (const machine of ["web1", "127.0.0.1", "[127.0.0.1]", "under_score.net", ""]) {
      expect(defaultEhloName("a@example.com", machine)).toBe("example.com");
    }
    for (const name of ["mail.example.com", "[192.0.2.1]", "[IPv6:2001:db8::1]"]) {
      expect(resolve({ ...needed, SMTP_EHLO_NAME: name }).submission?.ehloName).toBe(name);
    }
    for (const name of ["web1", "a b.com", "-a.com", "192.0.2.1", "[300.0.0.1]", "a.com\r\nRSET"]) {
      expect(() => resolve({ ...needed, SMTP_EHLO_NAME: name })).toThrow("SMTP_EHLO_NAME must be");
    }
  });

  test("refuse an idempotency header that is a field of the mail, or none", () => {
    for (const name of [
      "Subject",
      "message-ID",
      "List-Unsubscribe",
      "X Y",
      "X:",
      "Content-Type",
      "feedback-id",
      "X-Auto-Response-Suppress",
    ]) {
      const parse = () => resolve({ ...needed, SMTP_IDEMPOTENCY_HEADER: name });
      expect(parse).toThrow("SMTP_IDEMPOTENCY_HEADER must be the name of a header field");
    }
    const { submission } = resolve({ ...needed, SMTP_IDEMPOTENCY_HEADER: "X-Entity-Ref-ID" });
    expect(submission?.idempotencyHeader).toBe("X-Entity-Ref-ID");
  });

  test("out of bounds are refused with the bound", () => {
    const parse = (environment: Environment) => () =>
      parseConfig({ smtp: smtpFields }, environment);
    expect(parse({ SMTP_CONNECTIONS: "0" })).toThrow("SMTP_CONNECTIONS");
    expect(parse({ SMTP_FROM: "nobody" })).toThrow("an e-mail address such as");
    expect(parse({ SMTP_TLS: "maybe" })).toThrow("one of starttls, implicit, none");
    expect(parse({ SMTP_REPLY_TIMEOUT: "1h" })).toThrow("a duration from 100ms to 10m");
  });
});
