import { describe, expect, test } from "bun:test";
import { findEngine } from "../../support/engines.ts";
import { eventually } from "../../support/eventually.ts";
import { openRedisAt } from "../../support/own-redis.ts";
import { openServiceRig, urlOf } from "../../support/service-rig.ts";
import { readMail } from "../../support/smtp-sink/accepted.ts";

const kafka = findEngine("kafka") ?? "";
const redis = findEngine("redis") ?? "";
const postgres = findEngine("postgres") ?? "";
const program = findEngine("instant") ?? "";
const complete = [kafka, redis, postgres, program].every((address) => address !== "");

const post = (url: string, body: object) =>
  fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });

describe.skipIf(!complete)("the guide, on Kafka, Redis, Postgres and SMTP", () => {
  test("two quick requests are one mail; its code opens a session; no log contains a secret", async () => {
    const email = `duplicate-${crypto.randomUUID()}@test.com`;
    const schema = `t${crypto.randomUUID().replaceAll("-", "")}`;
    const environment = { DATABASE_URL: postgres, DB_SCHEMA: schema };
    await using rig = await openServiceRig({ program, kafka, redis, environment });
    const [worker, auth] = [rig.start(["serve-email"]), rig.start(["serve-auth"])];
    const authUrl = await urlOf(auth, "Auth service started");
    const emailUrl = await urlOf(worker, "Email service started");
    for (let tries = 0; tries < 2; tries += 1) {
      const answer = await post(`${authUrl}/auth/request-code`, { email });
      expect(await answer.text()).toBe('{"message":"verification code sent to your email"}');
    }
    const phrase = "Duplicate email event detected, skipping";
    const duplicate = await eventually(
      "the second is a duplicate",
      () => worker.findLogs(phrase)[0],
    );
    expect(rig.sink.acceptedTotal).toBe(1);
    const messageId = String(duplicate["messageID"]);
    const idsOf = (line: string) => worker.findLogs(line).map((fields) => fields["messageID"]);
    expect(idsOf("Email event consumed")).toEqual([messageId, messageId]);
    expect(idsOf("Email sent successfully")).toEqual([messageId]);
    expect(idsOf("Marked email as processed")).toEqual([messageId]);

    await using client = await openRedisAt(redis);
    const key = `email:sent:${messageId}`;
    const record = JSON.parse((await client.run((each) => each.get(key))) ?? "{}");
    expect(record).toMatchObject({ state: "accepted", sent_at: expect.any(String) });
    const ttl = await client.run((each) => each.ttl(key));
    expect([ttl <= 86_400, ttl > 86_000]).toEqual([true, true]);

    const health = (await (await fetch(`${emailUrl}/health`)).json()) as object;
    expect(health).toMatchObject({
      status: "healthy",
      service: "email-service",
      redis: "connected",
    });
    expect(Object.keys(health)).toEqual([
      "status",
      "service",
      "redis",
      "idempotency_records",
      "timestamp",
    ]);
    const stats = (await (await fetch(`${emailUrl}/stats`)).json()) as object;
    expect(stats).toEqual({ idempotency_records: expect.any(Number), ttl_hours: 24 });

    const mail = readMail(rig.sink.accepted[0]?.data ?? "");
    const code = /\b\d{6}\b/.exec(mail.text)?.[0] ?? "";
    const verified = await post(`${authUrl}/auth/verify-code`, { email, code });
    const { token, user } = (await verified.json()) as { token: string; user: object };
    const headers = { Authorization: `Bearer ${token}` };
    const me = await fetch(`${authUrl}/auth/me`, { headers });
    expect(JSON.stringify(await me.json())).toContain(email);
    expect(user).toMatchObject({ email });

    await auth.stop();
    await worker.stop();
    // Six digits may be part of a random id by chance; a code is never a part of something.
    for (const secret of [new RegExp(`(?<![\\w-])${code}(?![\\w-])`), token, email]) {
      for (const { output } of [auth, worker]) expect(output).not.toMatch(secret);
    }
  }, 60_000);
});
