import { expect, test } from "bun:test";
import { Metrics } from "../../src/core/metrics.ts";
import { systemClock } from "../../src/core/time.ts";
import { createMailerMetrics } from "../../src/email/mailer/mail-servers.ts";
import { openSmtpMailer } from "../../src/email/mailer/smtp/smtp.ts";
import { testCertificates } from "../../support/smtp-sink/listener.ts";
import { openSmtpSink } from "../../support/smtp-sink/smtp-sink.ts";

const certificates = testCertificates();
const gauge = /^instant_email_smtp_certificate_seconds\{server="[^"]+"\} (\S+)$/m;

test.each(["starttls", "implicit"] as const)(
  "the metrics know how long the server's certificate is good, once it was seen by %s",
  async (mode) => {
    await using sink = await openSmtpSink({ tls: { mode, ...certificates.good } });
    await using mailer = openSmtpMailer({
      host: "127.0.0.1",
      port: sink.port,
      tls: mode,
      ca: certificates.authority,
      connections: 1,
      connectTimeoutMs: 5_000,
      greetingTimeoutMs: 5_000,
      replyTimeoutMs: 5_000,
      from: "noreply@example.com",
    });
    const metrics = new Metrics();
    createMailerMetrics(metrics, systemClock)(mailer);
    expect(await metrics.render()).not.toMatch(gauge);
    expect(await mailer.probe()).toMatchObject({ kind: "up" });
    const seconds = Number(gauge.exec(await metrics.render())?.[1]);
    expect(seconds).toBeGreaterThan(0);
    const endsAt = new Date(Date.now() + seconds * 1000);
    expect(Math.abs(endsAt.getTime() - (mailer.certificateEndsAt ?? 0))).toBeLessThan(5_000);
  },
);
