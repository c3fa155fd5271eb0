import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { testCertificates } from "../../support/smtp-sink/listener.ts";
import type { SmtpSink, SmtpSinkOptions } from "../../support/smtp-sink/smtp-sink.ts";
import { openSmtpSink } from "../../support/smtp-sink/smtp-sink.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { examineWith, findTrouble, troubles } from "../support/doctor.ts";

const { authority, good, expired, otherName } = testCertificates();
const password = "the-password-of-this-test";
const auth = { user: "mailer", password } as const;

const plain = {
  EMAIL_MODE: "smtp",
  SMTP_HOST: "127.0.0.1",
  SMTP_FROM: "noreply@doctor.invalid",
  SMTP_TLS: "none",
} as const;

async function look(
  options: SmtpSinkOptions,
  settings: Readonly<Record<string, string>> = {},
  prepare: (sink: SmtpSink) => void = () => {},
) {
  using directory = temporaryDirectory();
  await using sink = await openSmtpSink(options);
  prepare(sink);
  const ca = join(directory.path, "ca.pem");
  writeFileSync(ca, authority);
  const trust = settings["SMTP_CA_FILE"] === "" || !options.tls ? {} : { SMTP_CA_FILE: ca };
  const server = { ...plain, SMTP_PORT: String(sink.port), ...trust };
  const examined = await examineWith({ ...server, ...settings });
  expect(sink.acceptedTotal).toBe(0);
  expect(sink.reachedTotal.mail).toBe(0);
  return examined;
}

describe("doctor on the SMTP server", () => {
  test("finds nothing wrong with a good one but its expiring certificate, and sends no mail", async () => {
    const tls = { mode: "starttls", ...good } as const;
    const login = { SMTP_USER: auth.user, SMTP_PASSWORD: password, SMTP_TLS: "starttls" };
    const { exitCode, findings, text } = await look({ tls, auth }, login);
    expect(exitCode).toBe(0);
    expect(text).toContain("took the login");
    expect(text).toContain("Accepts mails up to 10240 KiB, several commands at once");
    expect(text).not.toContain(password);
    const certificate = findTrouble(findings, "smtp.certificate");
    expect(certificate.text).toBe("The certificate of 127.0.0.1 expires in 1 day");
  });

  test("finds a wrong password, and prints none", async () => {
    const login = { SMTP_USER: auth.user, SMTP_PASSWORD: "not-this-password" };
    const { exitCode, findings, text } = await look({ auth }, login);
    expect(exitCode).toBe(1);
    const trouble = findTrouble(findings, "smtp.login");
    expect(trouble.fix).toBe("Check SMTP_USER and SMTP_PASSWORD");
    expect(trouble.text).toContain("535");
    expect(text).not.toContain("not-this-password");
  });

  test("does not print the password when the server repeats it", async () => {
    const login = { SMTP_USER: auth.user, SMTP_PASSWORD: "not-this-password" };
    const text = "535 5.7.8 not-this-password is wrong";
    const examined = await look({ auth }, login, (sink) =>
      sink.misbehave({ at: "auth", does: { kind: "reply", text } }),
    );
    expect(findTrouble(examined.findings, "smtp.login").text).toContain("is wrong");
    expect(examined.text).not.toContain("not-this-password");
  });

  test("finds an expired certificate, one of another name and an unknown authority", async () => {
    const settings = { SMTP_TLS: "implicit" };
    const over = await look({ tls: { mode: "implicit", ...expired } }, settings);
    const trouble = findTrouble(over.findings, "smtp.certificate");
    expect(trouble).toMatchObject({
      level: "fault",
      text: expect.stringContaining("expired"),
      fix: "Renew the certificate of the mail server",
    });
    const other = await look({ tls: { mode: "implicit", ...otherName } }, settings);
    const { fix } = findTrouble(other.findings, "smtp.certificate");
    expect(fix).toContain("SMTP_HOST must be a name in the certificate");
    const tls = { mode: "implicit", ...good } as const;
    const unknown = await look({ tls }, { ...settings, SMTP_CA_FILE: "" });
    expect(findTrouble(unknown.findings, "smtp.certificate").fix).toContain("SMTP_CA_FILE");
  });

  test.concurrent("finds a port that speaks TLS when plain is set, and the other way round", async () => {
    const implicit = await look({ tls: { mode: "implicit", ...good } }, { SMTP_TLS: "starttls" });
    const [first] = troubles(implicit.findings);
    expect(findTrouble(implicit.findings, first ?? "")).toMatchObject({
      text: expect.stringContaining("speaks TLS from the first byte"),
      fix: expect.stringContaining("SMTP_TLS=implicit"),
    });
    const starttls = await look({ tls: { mode: "starttls", ...good } }, { SMTP_TLS: "implicit" });
    const [second] = troubles(starttls.findings);
    expect(findTrouble(starttls.findings, second ?? "").fix).toContain("SMTP_TLS=starttls");
    const { findings } = await look({}, { SMTP_TLS: "starttls" });
    expect(findTrouble(findings, "smtp.tls").fix).toContain("SMTP_TLS=none");
  });

  test.concurrent("finds a port that is not a mail server's, and one where nobody is", async () => {
    const web = createServer((_, response) => response.end("hello"));
    await new Promise<void>((resolve) => web.listen(0, "127.0.0.1", resolve));
    const address = web.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const startedAt = performance.now();
    const wrong = await examineWith({ ...plain, SMTP_PORT: String(port) });
    expect(performance.now() - startedAt).toBeLessThan(9_500);
    expect(wrong.exitCode).toBe(1);
    expect(wrong.text).toContain("Check SMTP_PORT");
    await new Promise((resolve) => web.close(resolve));
    const nobody = await examineWith({ ...plain, SMTP_PORT: String(port) });
    expect(findTrouble(nobody.findings, "smtp.connect").fix).toContain("SMTP_HOST, SMTP_PORT");
    const name = await examineWith({ ...plain, SMTP_HOST: "nowhere.invalid" });
    expect(findTrouble(name.findings, "smtp.name_not_found").fix).toContain("DNS");
  });

  test("finds a server that takes only small mails", async () => {
    const { findings } = await look({ extensions: ["SIZE 102400"] });
    expect(findTrouble(findings, "smtp.limits").text).toBe("Accepts mails only up to 100 KiB");
  });
});
