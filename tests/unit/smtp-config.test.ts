import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ConfigProblem, Environment } from "../../src/core/config/parse.ts";
import { parseConfig } from "../../src/core/config/parse.ts";
import { resolveSmtp, smtpFields } from "../../src/core/smtp/config.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

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
        connections: 20,
        connectTimeoutMs: 10_000,
        greetingTimeoutMs: 10_000,
        replyTimeoutMs: 30_000,
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

  test("out of bounds are refused with the bound", () => {
    const parse = (environment: Environment) => () =>
      parseConfig({ smtp: smtpFields }, environment);
    expect(parse({ SMTP_CONNECTIONS: "0" })).toThrow("SMTP_CONNECTIONS");
    expect(parse({ SMTP_FROM: "nobody" })).toThrow("an e-mail address such as");
    expect(parse({ SMTP_TLS: "maybe" })).toThrow("one of starttls, implicit, none");
    expect(parse({ SMTP_REPLY_TIMEOUT: "1h" })).toThrow("a duration from 100ms to 10m");
  });
});
