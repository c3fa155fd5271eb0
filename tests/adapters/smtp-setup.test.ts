import { describe, expect, test } from "bun:test";
import { Metrics } from "../../src/core/metrics.ts";
import { systemClock } from "../../src/core/time.ts";
import { createMailerMetrics } from "../../src/email/mailer/mail-servers.ts";
import type { ServerDownCause } from "../../src/email/mailer/mailer.ts";
import type { SmtpOptions } from "../../src/email/mailer/smtp/config.ts";
import type { SinkAction, SinkStage } from "../../support/smtp-sink/behaviour.ts";
import { testCertificates } from "../../support/smtp-sink/listener.ts";
import type { SmtpSinkOptions } from "../../support/smtp-sink/smtp-sink.ts";
import { openFullBacklog, openSmtpRig, quickTimeouts } from "../support/smtp-rig.ts";

const certificates = testCertificates();
const ca = certificates.authority;
const startTls = { mode: "starttls", ...certificates.good } as const;
const implicitTls = { mode: "implicit", ...certificates.good } as const;
const auth = { user: "mailer", password: "se-cr-et" };
const reply = (text: string): SinkAction => ({ kind: "reply", text, close: true });

interface Row {
  readonly client?: Partial<SmtpOptions>;
  readonly sink?: SmtpSinkOptions;
  readonly misbehaves?: readonly [SinkStage, SinkAction];
  readonly cause: ServerDownCause;
  /** Part of the reason: what to fix. */
  readonly says: string;
}

const rows: Readonly<Record<string, Row>> = {
  "a name that does not exist": {
    client: { host: "mail.invalid" },
    cause: "name_not_found",
    says: "check SMTP_HOST",
  },
  "a port where nobody listens": {
    client: { port: 1 },
    cause: "connect",
    says: "ECONNREFUSED",
  },
  "no greeting": {
    misbehaves: ["connect", { kind: "hang" }],
    cause: "timeout",
    says: "port 465 needs SMTP_TLS=implicit",
  },
  "a connection closed before the greeting": {
    misbehaves: ["connect", { kind: "drop" }],
    cause: "connect",
    says: "check SMTP_HOST, SMTP_PORT",
  },
  "a greeting of 554": {
    misbehaves: ["connect", reply("554 5.7.1 go away")],
    cause: "greeting",
    says: "554 5.7.1 go away",
  },
  "a greeting of 421": {
    misbehaves: ["connect", reply("421 4.7.0 busy")],
    cause: "closing",
    says: "421 4.7.0 busy",
  },
  "a greeting of 4.3.2": {
    misbehaves: ["connect", reply("450 4.3.2 not accepting")],
    cause: "system",
    says: "4.3.2",
  },
  "EHLO and HELO refused": {
    misbehaves: ["ehlo", { kind: "reply", text: "550 5.7.1 who are you" }],
    cause: "greeting",
    says: "who are you",
  },
  "421 to EHLO": {
    client: { ehloName: "mail.example.com" },
    misbehaves: ["ehlo", reply("421 4.7.0 Try again later, closing connection. (EHLO)")],
    cause: "closing",
    says: "EHLO mail.example.com (421 4.7.0 Try again later, closing connection. (EHLO)): set SMTP_EHLO_NAME",
  },
  "EHLO refused where TLS is needed": {
    client: { tls: "starttls", ca, ehloName: "mail.example.com" },
    sink: { tls: startTls },
    misbehaves: ["ehlo", { kind: "reply", text: "504 5.5.2 need fully-qualified hostname" }],
    cause: "greeting",
    says: "set SMTP_EHLO_NAME",
  },
  "silence after EHLO": {
    misbehaves: ["ehlo", { kind: "hang" }],
    cause: "timeout",
    says: "did not answer in time",
  },
  "a drop after EHLO": {
    misbehaves: ["ehlo", { kind: "drop" }],
    cause: "connect",
    says: "Cannot connect",
  },
  "no STARTTLS": {
    client: { tls: "starttls", ca },
    cause: "tls",
    says: "does not offer STARTTLS",
  },
  "STARTTLS refused": {
    client: { tls: "starttls", ca },
    sink: { tls: startTls },
    misbehaves: ["starttls", { kind: "reply", text: "454 4.7.0 TLS not available" }],
    cause: "tls",
    says: "454 4.7.0 TLS not available",
  },
  "silence instead of a handshake": {
    client: { tls: "starttls", ca },
    sink: { tls: startTls },
    misbehaves: ["starttls", { kind: "raw", bytes: "220 Go\r\n" }],
    cause: "timeout",
    says: "did not answer in time",
  },
  "a drop instead of a handshake": {
    client: { tls: "starttls", ca },
    sink: { tls: startTls },
    misbehaves: ["starttls", { kind: "raw", bytes: "220 Go\r\n", close: true }],
    cause: "tls",
    says: "SMTP_TLS=implicit is for port 465",
  },
  "a certificate of an unknown authority": {
    client: { tls: "starttls" },
    sink: { tls: startTls },
    cause: "certificate",
    says: "put a private authority into SMTP_CA_FILE",
  },
  "a certificate for another name": {
    client: { tls: "starttls", ca, host: "localhost" },
    sink: { tls: { mode: "starttls", ...certificates.otherName } },
    cause: "certificate",
    says: "SMTP_HOST must be a name in the certificate",
  },
  "a certificate for another address": {
    client: { tls: "implicit", ca, host: "127.0.0.1" },
    sink: { tls: { mode: "implicit", ...certificates.otherName } },
    cause: "certificate",
    says: "SMTP_HOST must be a name in the certificate",
  },
  "an expired certificate": {
    client: { tls: "implicit", ca },
    sink: { tls: { mode: "implicit", ...certificates.expired } },
    cause: "certificate",
    says: "it has expired; the server's operator must renew it",
  },
  "implicit TLS to a plain port": {
    client: { tls: "implicit", ca },
    cause: "tls",
    says: "port 587 and 25 need SMTP_TLS=starttls",
  },
  "STARTTLS to a port of implicit TLS": {
    client: { tls: "starttls", ca },
    sink: { tls: implicitTls },
    cause: "timeout",
    says: "port 465 needs SMTP_TLS=implicit",
  },
  "a wrong password": {
    client: { user: auth.user, password: "wrong" },
    sink: { auth },
    cause: "login",
    says: "check SMTP_USER and SMTP_PASSWORD",
  },
  "no login where one is wanted": {
    sink: { auth },
    cause: "login",
    says: "set SMTP_USER and SMTP_PASSWORD",
  },
  "a login where none is offered": {
    client: auth,
    cause: "login",
    says: "offers no login",
  },
  "a login that fails for now": {
    client: auth,
    sink: { auth },
    misbehaves: ["auth", { kind: "reply", text: "454 4.7.0 Temporary authentication failure" }],
    cause: "login",
    says: "454 4.7.0",
  },
  "421 to the login": {
    client: auth,
    sink: { auth },
    misbehaves: ["auth", reply("421 4.7.0 too many logins")],
    cause: "closing",
    says: "too many logins",
  },
  "silence after the login": {
    client: auth,
    sink: { auth },
    misbehaves: ["auth", { kind: "hang" }],
    cause: "timeout",
    says: "did not answer in time",
  },
};

describe("Before the first mail", () => {
  for (const [name, { client, sink, misbehaves, cause, says }] of Object.entries(rows)) {
    test(`${name}: ${cause}, for a mail and for a probe`, async () => {
      const timeouts = cause === "timeout" ? quickTimeouts : {};
      await using rig = await openSmtpRig({ ...timeouts, ...client }, sink);
      if (misbehaves) rig.sink.misbehave({ at: misbehaves[0], does: misbehaves[1] });
      const outcome = await rig.send("m1");
      expect(outcome).toMatchObject({ kind: "server_down", cause });
      expect(outcome).toMatchObject({ reason: expect.stringContaining(says) });
      expect(JSON.stringify(outcome)).not.toContain(auth.password);
      // Whether a login is wanted shows at MAIL FROM only, which a probe does not send.
      if (name === "no login where one is wanted") return;
      expect(await rig.mailer.probe()).toMatchObject({ kind: "server_down", cause });
      expect(rig.sink.acceptedTotal).toBe(0);
    });
  }

  test("a server that knows HELO only is good enough without TLS and login", async () => {
    await using rig = await openSmtpRig();
    rig.sink.misbehave({ at: "ehlo", does: { kind: "reply", text: "502 what?" }, times: 1 });
    expect(await rig.send("m1")).toMatchObject({ kind: "accepted" });
  });

  for (const [mode, tls] of Object.entries({ starttls: startTls, implicit: implicitTls })) {
    test(`${mode} with a trusted certificate and the right login: accepted`, async () => {
      await using rig = await openSmtpRig({ tls: tls.mode, ca, ...auth }, { tls, auth });
      expect(await rig.mailer.probe()).toEqual({ kind: "up", host: "127.0.0.1" });
      expect(await rig.send("m1")).toMatchObject({ kind: "accepted" });
      expect(rig.sink.sessions.opened).toBe(1);
    });
  }

  test("a signal aborted while connecting withholds the mail and leaves nothing open", async () => {
    await using rig = await openSmtpRig();
    rig.sink.misbehave({ at: "connect", does: { kind: "hang" } });
    const abort = new AbortController();
    const reached = rig.sink.reaches("connect");
    const sending = rig.send("m1", { signal: abort.signal });
    await reached;
    abort.abort();
    expect(await sending).toEqual({ kind: "withheld" });
  });
});

describe("Setting up with a server that is too slow", () => {
  test("a server where connecting hangs: timeout", async () => {
    await using backlog = await openFullBacklog();
    await using rig = await openSmtpRig({ port: backlog.port, connectTimeoutMs: 100 });
    expect(await rig.send("m1")).toMatchObject({
      kind: "server_down",
      cause: "timeout",
      reason: expect.stringContaining("no connection within 100ms"),
    });
  });

  test("a greeting byte by byte ends after the greeting timeout", async () => {
    await using rig = await openSmtpRig(quickTimeouts);
    rig.sink.misbehave({ at: "connect", does: { kind: "trickle", ms: 50 } });
    expect(await rig.send("m1")).toMatchObject({ kind: "server_down", cause: "timeout" });
  });

  test("a reply byte by byte ends, all steps together", async () => {
    await using rig = await openSmtpRig({ replyTimeoutMs: 100, greetingTimeoutMs: 100 });
    rig.sink.misbehave({ at: "ehlo", does: { kind: "trickle", ms: 50 } });
    expect(await rig.send("m1")).toMatchObject({ kind: "server_down", cause: "timeout" });
  });
});

const gauge = /^instant_email_smtp_certificate_seconds\{server="[^"]+"\} (\S+)$/m;

test.each([startTls, implicitTls])(
  "the metrics say how long the server's certificate is valid, once it was seen: $mode",
  async (tls) => {
    await using rig = await openSmtpRig({ tls: tls.mode, ca }, { tls });
    const metrics = new Metrics();
    createMailerMetrics(metrics, systemClock)(rig.mailer);
    expect(await metrics.render()).not.toMatch(gauge);
    expect(await rig.mailer.probe()).toMatchObject({ kind: "up" });
    const seconds = Number(gauge.exec(await metrics.render())?.[1]);
    expect(seconds).toBeGreaterThan(0);
    const endsAt = new Date(Date.now() + seconds * 1000);
    expect(Math.abs(endsAt.getTime() - (rig.mailer.certificateEndsAt ?? 0))).toBeLessThan(5_000);
  },
);
