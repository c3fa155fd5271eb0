import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseMailbox } from "../../src/core/email-address.ts";
import { findEngine } from "../../support/engines.ts";
import { codeEvent } from "../../support/events.ts";
import { eventually } from "../../support/eventually.ts";
import { runInstant } from "../../support/instant-process.ts";
import { openServiceRig, urlOf } from "../../support/service-rig.ts";
import { readMail } from "../../support/smtp-sink/accepted.ts";
import type { SinkAction, SinkStage } from "../../support/smtp-sink/behaviour.ts";
import { testCertificates } from "../../support/smtp-sink/listener.ts";
import type { SmtpSinkOptions } from "../../support/smtp-sink/smtp-sink.ts";
import { openSmtpSink } from "../../support/smtp-sink/smtp-sink.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { testDkimPem, verifyDkim } from "../support/dkim.ts";

const certificates = testCertificates();
const startTls = { mode: "starttls", ...certificates.good } as const;
const auth = { user: "mailer", password: "se-cr-et" };

/** `instant send-test` against a sink that offers STARTTLS and wants a login. */
async function openRig(sinkOptions: SmtpSinkOptions = {}) {
  const stack = new AsyncDisposableStack();
  const { path: directory } = stack.use(temporaryDirectory());
  const sink = stack.use(await openSmtpSink({ tls: startTls, auth, ...sinkOptions }));
  const ca = join(directory, "ca.pem");
  writeFileSync(ca, certificates.authority);
  const environment = {
    SMTP_HOST: "localhost",
    SMTP_PORT: String(sink.port),
    SMTP_USER: auth.user,
    SMTP_PASSWORD: auth.password,
    SMTP_FROM: "noreply@example.com",
    SMTP_CA_FILE: ca,
  };
  const run = (parameters: readonly string[], settings: Readonly<Record<string, string>> = {}) =>
    runInstant(["send-test", ...parameters], {
      directory,
      environment: { ...environment, ...settings },
    });
  return { directory, sink, run, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

interface Row {
  readonly sink?: SmtpSinkOptions;
  readonly settings?: Readonly<Record<string, string>>;
  readonly misbehaves?: readonly [SinkStage, SinkAction];
  readonly to?: string;
  readonly says: string;
}

const say = (text: string): SinkAction => ({ kind: "reply", text });
const rows: Readonly<Record<string, Row>> = {
  "a name that does not exist": {
    settings: { SMTP_HOST: "mail.invalid" },
    says: "cannot be resolved",
  },
  "a port where nobody listens": { settings: { SMTP_PORT: "1" }, says: "Cannot connect" },
  "a server that says nothing": {
    settings: { SMTP_GREETING_TIMEOUT: "200ms" },
    misbehaves: ["connect", { kind: "hang" }],
    says: "did not answer in time",
  },
  "an expired certificate": {
    sink: { tls: { mode: "starttls", ...certificates.expired } },
    says: "it has expired",
  },
  "a certificate of an unknown authority": {
    settings: { SMTP_CA_FILE: "" },
    says: "put a private authority into SMTP_CA_FILE",
  },
  "a certificate for another name": {
    sink: { tls: { mode: "starttls", ...certificates.otherName } },
    says: "SMTP_HOST must be a name in the certificate",
  },
  "a server without STARTTLS": {
    misbehaves: ["starttls", say("502 5.5.1 no such command")],
    says: "does not offer STARTTLS",
  },
  "a wrong password": {
    settings: { SMTP_PASSWORD: "wr-on-g" },
    says: "check SMTP_USER and SMTP_PASSWORD",
  },
  "a sender it does not take": {
    misbehaves: ["mail", say("553 5.7.1 not your address")],
    says: "check SMTP_FROM",
  },
  "a sender it dislikes only once it knows the recipient": {
    misbehaves: ["rcpt", say("553 5.7.1 Sender address rejected: not owned by user mailer")],
    says: "check SMTP_FROM and SMTP_ENVELOPE_FROM",
  },
  "a recipient it does not know": {
    misbehaves: ["rcpt", say("550 5.1.1 <ana@example.org>: no such user")],
    says: "check the address",
  },
  "a recipient it does not relay to": {
    misbehaves: ["rcpt", say("554 5.7.1 <ana@example.org>: Relay access denied")],
    says: "does not relay for us",
  },
  "a recipient it takes later": {
    misbehaves: ["rcpt", say("450 4.2.0 Greylisted, try again in 60 seconds")],
    says: "greylisting ends by itself",
  },
  "an address that it has no letters for": {
    sink: { extensions: ["PIPELINING"] },
    to: "jörg@example.org",
    says: "a server that offers SMTPUTF8",
  },
  "content it does not like": {
    misbehaves: ["dot", say("554 5.7.1 spam")],
    says: "SPF and DKIM",
  },
};

describe.skipIf(findEngine("instant") === undefined)("instant send-test", () => {
  test("sends a signed mail and shows the SMTP session without the password and the code", async () => {
    await using rig = await openRig();
    const key = join(rig.directory, "dkim.pem");
    writeFileSync(key, testDkimPem);
    const dkim = { DKIM_DOMAIN: "example.com", DKIM_SELECTOR: "test1", DKIM_PRIVATE_KEY_FILE: key };
    const done = await rig.run(["--to", "ana@bücher.example"], dkim);
    expect(done).toMatchObject({ exitCode: 0, stderr: "" });
    const [mail, ...others] = rig.sink.accepted;
    expect(others).toEqual([]);
    expect(mail?.to).toEqual([parseMailbox("ana@bücher.example") ?? ""]);
    expect(await verifyDkim(mail?.data ?? "")).toMatchObject([{ result: "pass" }]);
    const code = /\b\d{6}\b/.exec(readMail(mail?.data ?? "").text)?.[0] ?? "none";
    expect(done.stdout).not.toContain(code);
    for (const secret of [auth.password, btoa(auth.password), btoa("\0mailer\0se-cr-et")]) {
      expect(done.stdout).not.toContain(secret);
    }
    const inOrder =
      /S: 220 .*C: EHLO .*C: STARTTLS\n.*\* {2}TLSv1\.[23], certificate of good .*C: AUTH PLAIN \*\*\*\nS: 235 .*C: RCPT TO:<ana@xn--bcher-kva\.example>\n.*S: 354 .*C: DKIM-Signature: .*C: Message-ID: .*C: \.\nS: 250 .*\n✓ localhost accepted the mail, queue id /s;
    expect(done.stdout).toMatch(inOrder);
  });

  for (const [name, { sink, settings, misbehaves, to, says }] of Object.entries(rows)) {
    test(`${name}: exit 1, and one sentence with the fix`, async () => {
      await using rig = await openRig(sink);
      if (misbehaves) rig.sink.misbehave({ at: misbehaves[0], does: misbehaves[1] });
      const done = await rig.run(["--to", to ?? "ana@example.org", "--json"], settings);
      expect(done).toMatchObject({ exitCode: 1, stderr: "" });
      const report = JSON.parse(done.stdout);
      expect(report).toMatchObject({ accepted: false });
      expect(report.explanation).toContain(says);
      expect(rig.sink.acceptedTotal).toBe(0);
      expect(done.stdout).not.toContain(settings?.["SMTP_PASSWORD"] ?? auth.password);
    });
  }

  test("AUTH LOGIN works too, and neither the user nor the password is shown", async () => {
    await using rig = await openRig({ auth: { ...auth, mechanisms: "LOGIN" } });
    const done = await rig.run(["--to", "ana@example.org", "--type", "welcome"]);
    expect(done.exitCode).toBe(0);
    expect(done.stdout).toContain("C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: ***\n");
    expect(done.stdout).toContain("S: 334 UGFzc3dvcmQ6\nC: ***\nS: 235 ");
  });

  test("a mail that cannot be sent is a usage error: exit code 2, nothing is sent", async () => {
    await using rig = await openRig();
    const usages = {
      "--type must be one of verification_code": ["--to", "ana@example.org", "--type", "nonsense"],
      "--to must be an e-mail address": ["--to", "ana"],
      "--locale must be a BCP 47 language tag": ["--to", "ana@example.org", "--locale", "??"],
    };
    for (const [says, parameters] of Object.entries(usages)) {
      const done = await rig.run(parameters);
      expect(done).toMatchObject({ exitCode: 2, stdout: "" });
      expect(done.stderr).toContain(says);
    }
    expect(await rig.run(["--to", "ana@example.org"], { SMTP_FROM: "" })).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining("SMTP_FROM must be set"),
    });
    expect(rig.sink.sessions.opened).toBe(0);
  });
});

const [program, kafka, redis] = [findEngine("instant"), findEngine("kafka"), findEngine("redis")];
const password = "hid/den@pass";

/** Two servers that want a login, of different senders. */
async function openServers() {
  const stack = new AsyncDisposableStack();
  const auth = { user: "mailer", password };
  const first = stack.use(await openSmtpSink({ auth }));
  const second = stack.use(await openSmtpSink({ auth }));
  const login = `mailer:${encodeURIComponent(password)}`;
  const urls = [
    `smtp://${login}@127.0.0.1:${first.port}?tls=none&from=a@one.example`,
    `smtp://${login}@127.0.0.1:${second.port}?tls=none&from=b@two.example`,
  ];
  const environment = { EMAIL_MODE: "smtp", SMTP_HOST: "", SMTP_FROM: "", SMTP_URLS: urls.join() };
  return { first, second, environment, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

describe.skipIf(program === undefined)("SMTP_URLS", () => {
  test.skipIf(kafka === undefined || redis === undefined)(
    "serve-email sends by the second while the first is down, and reports it",
    async () => {
      await using servers = await openServers();
      const { first, second, environment } = servers;
      await using rig = await openServiceRig({
        program: program ?? "",
        kafka: kafka ?? "",
        redis: redis ?? "",
        environment,
      });
      const process = rig.start(["serve-email"]);
      const url = await urlOf(process, "Email service started");
      first.misbehave({ at: "auth", does: { kind: "reply", text: "535 5.7.8 no" } });
      const events = [codeEvent(), codeEvent()];
      await rig.publish(events);
      await eventually("the second took them", () => second.acceptedTotal === 2, 30_000);
      await rig.untilDrained();
      expect(second.accepted.map(({ from }) => from)).toEqual(["b@two.example", "b@two.example"]);
      const port = url.slice(url.lastIndexOf(":"));
      const ready = await fetch(`http://127.0.0.1${port}/readyz`);
      const said = await ready.text();
      expect([ready.status, said]).toEqual([200, expect.stringContaining(`:${first.port}`)]);
      const metrics = await (await fetch(`http://127.0.0.1${port}/metrics`)).text();
      expect(metrics).toContain(
        `instant_email_server_down{cause="login",server="127.0.0.1:${first.port}"} 1`,
      );
      first.setBehaviour([]);
      const [next] = [codeEvent()];
      await eventually(
        "the first is back",
        () => process.findLogs("SMTP server is back").length > 0,
        15_000,
      );
      await rig.publish([next]);
      await eventually("the first took one", () => first.acceptedTotal === 1, 15_000);
      expect(`${process.output}${said}${metrics}`).not.toMatch(/hid.{0,3}den/);
    },
    90_000,
  );

  test("send-test sends by each server, or by the one that is named", async () => {
    await using servers = await openServers();
    using directory = temporaryDirectory();
    const run = (...more: string[]) =>
      runInstant(["send-test", "--to", "ana@example.com", ...more], {
        directory: directory.path,
        environment: servers.environment,
      });
    expect((await run()).exitCode).toBe(0);
    expect([servers.first.acceptedTotal, servers.second.acceptedTotal]).toEqual([1, 1]);
    expect((await run("--server", "2")).exitCode).toBe(0);
    expect([servers.first.acceptedTotal, servers.second.acceptedTotal]).toEqual([1, 2]);
    const unknown = await run("--server", "3");
    expect([unknown.exitCode, unknown.stderr]).toEqual([
      2,
      expect.stringContaining("--server must be"),
    ]);
  }, 30_000);

  test("doctor checks each server", async () => {
    await using servers = await openServers();
    using directory = temporaryDirectory();
    await servers.second.refuse();
    const { stdout } = await runInstant(["doctor", "serve-email"], {
      directory: directory.path,
      environment: servers.environment,
    });
    expect(stdout).toContain(`127.0.0.1:${servers.first.port}`);
    expect(stdout).toContain(`Cannot connect to 127.0.0.1:${servers.second.port}`);
    expect(stdout).not.toMatch(/hid.{0,3}den/);
  }, 30_000);
});
