import { describe, expect, test } from "bun:test";
import { generateKeyPairSync } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ConfigProblem, Environment } from "../../src/core/config.ts";
import {
  defaultEhloName,
  resolveSmtp,
  resolveSmtpServers,
  smtpFields,
} from "../../src/email/mailer/smtp/config.ts";
import { parseConfig } from "../../support/settings.ts";
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

function resolveServers(environment: Environment) {
  const problems: ConfigProblem[] = [];
  const { smtp } = parseConfig({ smtp: smtpFields }, environment);
  const servers = resolveSmtpServers(smtp, problems);
  return { servers, problems };
}

const sender = { SMTP_FROM: "noreply@example.com" };

describe("SMTP_URLS", () => {
  test("names servers in their order, each with what its URL says over the other settings", () => {
    const { servers, problems } = resolveServers({
      ...sender,
      SMTP_CONNECTIONS: "7",
      SMTP_URLS:
        "smtp://ana%40x:p%40%2Fs%2C@smtp.example.com?rate=14&from=a%2Bb@one.example, smtps://[::1]?from=c+d@two.example&connections=2&reply_timeout=5s",
    });
    expect(problems).toEqual([]);
    expect(servers).toMatchObject([
      {
        ...{ host: "smtp.example.com", port: 587, tls: "starttls", user: "ana@x" },
        ...{ password: "p@/s,", from: "a+b@one.example", mailsPerSecondMax: 14, connections: 7 },
        messageIdFrom: "a+b@one.example",
      },
      {
        ...{ host: "::1", port: 465, tls: "implicit", user: undefined, connections: 2 },
        ...{ from: "c+d@two.example", replyTimeoutMs: 5000, messageIdFrom: "a+b@one.example" },
      },
    ]);
  });

  test("may name a host in another script, or in capitals", () => {
    const { servers } = resolveServers({
      ...sender,
      SMTP_URLS: "smtp://bücher.example, SMTP://One.Example",
    });
    expect(servers?.map(({ host }) => host)).toEqual(["xn--bcher-kva.example", "one.example"]);
  });

  test("may stand in a file, one server a line", () => {
    using directory = temporaryDirectory();
    const path = join(directory.path, "urls");
    writeFileSync(path, "smtp://one.example:25?tls=none\nsmtp://two.example:25?tls=none\n");
    const { servers } = resolveServers({ ...sender, SMTP_URLS_FILE: path });
    expect(servers?.map(({ host, tls }) => [host, tls])).toEqual([
      ["one.example", "none"],
      ["two.example", "none"],
    ]);
  });

  test.each([
    ["https://u:hidden@one.example", "must be a URL such as"],
    ["smtp://u:hidden", "must be a URL such as"],
    ["smtp://u:hid/den@one.example", "must be a URL such as|has a / or #"],
    ["smtp://u:hid#hidden@one.example", "must be a URL such as|has a / or #"],
    ["smtp://u:hidden%zz@one.example", "%25"],
    ["smtp://u:hid%0Aden@one.example", "control characters"],
    ["smtp://u:hidden@one.example?rat=hidden", 'no parameter "rat"'],
    ["smtp://u:hidden@one.example?password=hidden", 'no parameter "password"'],
    ["smtp://u:hidden@one.example?rate=hidden", "rate must be a whole number from 0 to 10000"],
    ["smtps://u:hidden@one.example?tls=none", "smtps:// is tls=implicit"],
    ["smtp://u@one.example", "SMTP_PASSWORD must be set"],
    ["smtp://u:hidden@one.example, smtp://u:hidden@one.example", "twice"],
    ["smtp://u:hidden@One.example, smtp://u:hidden@one.example:587", "twice"],
    ["smtp://u:hidden@one.example?rate=1&rate=2", "parameter twice"],
    ["smtp://u:12?hidden@one.example", "%3F"],
    ["smtp://u:12?hid=den@one.example", "%3F"],
    ["smtp://u:hidden@one.example:0", "port from 1 to 65535"],
    [Array.from({ length: 11 }, (_, n) => `smtp://h${n}.example`).join(), "must be 1 to 10 URLs"],
  ])("%s is refused, and nothing secret is repeated", (SMTP_URLS, says) => {
    const { servers, problems } = resolveServers({ ...sender, SMTP_URLS });
    expect(servers).toBeUndefined();
    const text = problems.map(({ name, problem }) => `${name} ${problem}`).join("\n");
    expect(text).toMatch(new RegExp(says.replaceAll(/[?.+]/g, "\\$&")));
    expect(text).not.toMatch(/hidden|den@/);
    expect(problems.every(({ name }) => name === "SMTP_URLS")).toBe(true);
  });

  test("and SMTP_HOST are not both set", () => {
    const both = { ...sender, SMTP_URLS: "smtp://one.example", SMTP_HOST: "two.example" };
    expect(resolveServers(both).problems.map(({ name }) => name)).toEqual(["SMTP_HOST"]);
  });
});
