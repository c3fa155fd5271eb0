import { expect, test } from "bun:test";
import type { SendOutcome } from "../../src/email/mailer/mailer.ts";
import type { SmtpOptions, SmtpRateChange } from "../../src/email/mailer/smtp/config.ts";
import { Pace, SendRate } from "../../src/email/mailer/smtp/rate.ts";
import { FakeClock } from "../support/fake-clock.ts";

const accepted: SendOutcome = { kind: "accepted", host: "h", reply: "250 ok", queueId: undefined };
const throttled: SendOutcome = {
  kind: "throttled",
  host: "h",
  code: 454,
  enhancedCode: undefined,
  reply: "454 Throttling failure",
  retryAfterMs: undefined,
};

function openRate(mailsPerSecondMax = 0) {
  const clock = new FakeClock();
  const changes: SmtpRateChange["kind"][] = [];
  const onRateChange = ({ kind }: SmtpRateChange) => void changes.push(kind);
  const options = { host: "h", port: 25, mailsPerSecondMax, onRateChange };
  return { clock, changes, rate: new SendRate(options as unknown as SmtpOptions, clock) };
}

test("A server's rate is found, said once, and forgotten after a calm minute", async () => {
  const { clock, changes, rate } = openRate();
  expect(rate.perSecond).toBeUndefined();
  for (let mail = 0; mail < 14; mail += 1) rate.observe(accepted);
  for (let mail = 0; mail < 50; mail += 1) rate.observe(throttled);
  expect(rate.perSecond).toBeCloseTo(12.6);
  await clock.advance(1_500);
  rate.observe(accepted);
  rate.observe(throttled);
  expect(rate.perSecond).toBeLessThan(12.6);
  expect(changes).toEqual(["slowed"]);
  await clock.advance(60_000);
  expect(rate.perSecond).toBeUndefined();
  expect(changes).toEqual(["slowed", "free"]);
});

test("Sending grows faster again, at most to SMTP_RATE", async () => {
  const { rate } = openRate(20);
  rate.observe(throttled);
  const slow = rate.perSecond ?? 0;
  expect(slow).toBeLessThan(20);
  for (let mail = 0; mail < 1_000; mail += 1) rate.observe(accepted);
  expect(rate.perSecond).toBe(20);
});

test("Throttling that lasts with nothing accepted is an outage with its reason", async () => {
  const { clock, rate } = openRate();
  for (let second = 0; second < 10; second += 1) {
    expect(rate.observe(throttled)).toMatchObject({ kind: "throttled" });
    await clock.advance(1_000);
  }
  const down = rate.observe(throttled);
  expect(down).toMatchObject({ kind: "server_down", cause: "throttled" });
  expect(rate.observe(accepted)).toBe(accepted);
  expect(rate.observe(throttled)).toMatchObject({ kind: "throttled" });
});

/** When each of `count` callers that ask at once gets its turn, in ms. */
async function turnsOf(count: number, perSecond: number) {
  const clock = new FakeClock();
  const startedAt = clock.now();
  const pace = new Pace(perSecond, clock);
  const turns: number[] = [];
  while (turns.length < count) {
    const waitMs = pace.take();
    if (waitMs === 0) turns.push(clock.now() - startedAt);
    else await clock.advance(waitMs);
  }
  return turns;
}

test("turns are evenly spaced, the first at once", async () => {
  expect(await turnsOf(5, 4)).toEqual([0, 250, 500, 750, 1000]);
});

test("a rate that does not divide a second is kept over many turns", async () => {
  const turns = await turnsOf(300, 30);
  expect(turns.at(-1)).toBeCloseTo((299 * 1000) / 30, 0);
});

test("callers that wait and ask late lose no turns", async () => {
  const clock = new FakeClock();
  const pace = new Pace(100, clock);
  expect([pace.take(), pace.take()]).toEqual([0, 10]);
  await clock.advance(35); // a timer is late
  expect([pace.take(), pace.take(), pace.take(), pace.take()]).toEqual([0, 0, 0, 5]);
});

test("a pause saves up no turns", async () => {
  const clock = new FakeClock();
  const pace = new Pace(2, clock);
  expect([pace.take(), pace.take()]).toEqual([0, 500]);
  await clock.advance(500);
  expect(pace.take()).toBe(0);
  pace.rest(); // nobody waits
  await clock.advance(60_000);
  expect([pace.take(), pace.take()]).toEqual([0, 500]);
});
