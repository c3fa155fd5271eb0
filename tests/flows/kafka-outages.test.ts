import { describe, expect, test } from "bun:test";
import { findEngine } from "../../support/engines.ts";
import { eventually } from "../../support/eventually.ts";
import type { InstantProcess } from "../../support/instant-process.ts";
import { hasOwnKafka, openOwnKafka } from "../../support/own-kafka.ts";
import { hasRedisServer, openOwnRedis } from "../../support/own-redis.ts";
import type { ServiceRig } from "../../support/service-rig.ts";
import { openServiceRig, urlOf } from "../../support/service-rig.ts";

const program = findEngine("instant") ?? "";
const complete = program !== "" && hasOwnKafka() && hasRedisServer();

interface Answer {
  readonly status: number;
  readonly elapsedMs: number;
  readonly retryAfter: string | null;
  readonly body: Record<string, unknown>;
}

/** A Kafka to stop, and a Redis that starts with no rate limit used. */
async function openOwnRig(stack: AsyncDisposableStack) {
  const kafka = stack.use(await openOwnKafka());
  const redis = stack.use(await openOwnRedis());
  const engines = { kafka: kafka.brokers, redis: redis.url };
  return { kafka, rig: stack.use(await openServiceRig({ program, ...engines })) };
}

async function openAuth(rig: ServiceRig) {
  const process = rig.start(["serve-auth"]);
  const url = await urlOf(process, "Auth service started");
  const request = async (email: string): Promise<Answer> => {
    const startedAt = performance.now();
    const response = await fetch(`${url}/auth/request-code`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ email }),
    });
    return {
      status: response.status,
      body: (await response.json()) as Record<string, unknown>,
      retryAfter: response.headers.get("Retry-After"),
      elapsedMs: performance.now() - startedAt,
    };
  };
  return { process, request };
}

const mailsTo = (rig: ServiceRig, email: string) =>
  rig.sink.accepted.filter(({ to }) => to.includes(email)).length;

const consumedBy = (worker: InstantProcess) => worker.findLogs("Email event consumed").length;

describe.skipIf(!complete)("Kafka stopped", () => {
  test("request-code still answers 200, the mail is sent once, and Kafka is used again when it is back", async () => {
    await using stack = new AsyncDisposableStack();
    const { kafka, rig } = await openOwnRig(stack);
    const worker = rig.start(["serve-email"]);
    const auth = await openAuth(rig);
    expect(await auth.request("ana@example.com")).toMatchObject({ status: 200 });
    await eventually("it came through Kafka", () => consumedBy(worker) === 1);

    await kafka.stop();
    const first = await auth.request("bo@example.com");
    expect([first.status, mailsTo(rig, "bo@example.com")]).toEqual([200, 1]);
    expect(first.elapsedMs).toBeLessThan(3000);
    const next = await auth.request("cy@example.com");
    expect([next.status, mailsTo(rig, "cy@example.com")]).toEqual([200, 1]);
    expect(next.elapsedMs).toBeLessThan(1000);

    await kafka.start();
    const isBack = () =>
      auth.process.findLogs("Event log available again, publishing to it").length > 0;
    await eventually("serve-auth publishes again", isBack, 30_000);
    const before = consumedBy(worker);
    expect(await auth.request("dee@example.com")).toMatchObject({ status: 200 });
    await eventually("serve-email consumes again", () => consumedBy(worker) > before, 60_000);
    await rig.untilDrained();
    for (const email of ["ana", "bo", "cy", "dee"]) {
      expect([email, mailsTo(rig, `${email}@example.com`)]).toEqual([email, 1]);
    }
  }, 120_000);

  test("frozen with its connections open: answers within 3 s, and the event that Kafka delivers later is a duplicate", async () => {
    await using stack = new AsyncDisposableStack();
    const { kafka, rig } = await openOwnRig(stack);
    const worker = rig.start(["serve-email"]);
    const auth = await openAuth(rig);
    expect(await auth.request("ana@example.com")).toMatchObject({ status: 200 });
    await eventually("it came through Kafka", () => consumedBy(worker) === 1);
    kafka.freeze();
    const first = await auth.request("bo@example.com");
    expect([first.status, mailsTo(rig, "bo@example.com")]).toEqual([200, 1]);
    expect(first.elapsedMs).toBeLessThan(3000);
    kafka.thaw();
    const duplicates = () => worker.findLogs("Duplicate email event detected, skipping").length;
    await eventually("Kafka had the event all the same", () => duplicates() === 1, 30_000);
    await rig.untilDrained();
    expect(mailsTo(rig, "bo@example.com")).toBe(1);
  }, 120_000);

  test("and SMTP stopped: 503 within 12 s, the rate limit is not used up, and later it works", async () => {
    await using stack = new AsyncDisposableStack();
    const { kafka, rig } = await openOwnRig(stack);
    const auth = await openAuth(rig);
    await kafka.stop();
    await rig.sink.refuse();
    const email = `ana-${crypto.randomUUID()}@example.com`;
    for (let tries = 0; tries < 7; tries += 1) {
      const answer = await auth.request(email); // more often than there are codes an hour
      expect(answer).toMatchObject({ status: 503, body: { code: "mail_unavailable" } });
      expect(Number(answer.retryAfter)).toBeGreaterThan(0);
      expect(answer.elapsedMs).toBeLessThan(12_000);
    }
    await rig.sink.listen();
    rig.sink.misbehave({ at: "connect", does: { kind: "hang" } });
    const silent = await auth.request(email);
    expect(silent.status).toBe(503);
    expect(silent.elapsedMs).toBeLessThan(12_000);
    rig.sink.setBehaviour([]);
    expect(await auth.request(email)).toMatchObject({ status: 200 });
    expect(mailsTo(rig, email)).toBe(1);
  }, 120_000);

  test("frozen while SMTP hangs: 503 within 12 s each time, and later it works", async () => {
    await using stack = new AsyncDisposableStack();
    const { kafka, rig } = await openOwnRig(stack);
    const auth = await openAuth(rig);
    kafka.freeze();
    rig.sink.misbehave({ at: "mail", does: { kind: "hang" } });
    const email = `ana-${crypto.randomUUID()}@example.com`;
    const others = ["bo@example.com", "cy@example.com"];
    const answers = await Promise.all([email, ...others].map((each) => auth.request(each)));
    answers.push(await auth.request(email)); // the same event again, and straight to SMTP
    for (const answer of answers) {
      expect(answer).toMatchObject({ status: 503, body: { code: "mail_unavailable" } });
      expect(Number(answer.retryAfter)).toBeGreaterThan(0);
      expect(answer.elapsedMs).toBeLessThan(12_000);
    }
    rig.sink.setBehaviour([]);
    rig.sink.dropConnections();
    for (let count = 0; count < 5; count += 1) {
      // none of the five codes an hour is used up, or one code is repeated
      expect(await auth.request(email)).toMatchObject({ status: 200 });
    }
    expect(mailsTo(rig, email)).toBe(1);
    kafka.thaw();
  }, 120_000);
});
