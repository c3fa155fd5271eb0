import { expect, test } from "bun:test";
import { Pace } from "../../src/email/mailer/smtp/send-rate.ts";
import { FakeClock } from "../support/fake-clock.ts";

/** When each of `count` callers that ask at once gets its turn, in ms. */
async function turnsOf(count: number, perSecond: number, signal?: AbortSignal) {
  const clock = new FakeClock();
  const startedAt = clock.now();
  const pace = new Pace(perSecond, clock);
  const turns: (number | "given up")[] = [];
  for (let caller = 0; caller < count; caller += 1) {
    void pace.take(signal).then((granted) => {
      turns.push(granted ? clock.now() - startedAt : "given up");
    });
  }
  await clock.advance(10_000);
  return turns;
}

test("turns are evenly spaced, the first at once", async () => {
  expect(await turnsOf(5, 4)).toEqual([0, 250, 500, 750, 1000]);
});

test("a rate that does not divide a second is kept over many turns", async () => {
  const turns = await turnsOf(300, 30);
  expect(turns.at(-1)).toBeCloseTo((299 * 1000) / 30, 0);
});

test("a pause saves up no turns", async () => {
  const clock = new FakeClock();
  const pace = new Pace(2, clock);
  await pace.take();
  await clock.advance(60_000);
  const startedAt = clock.now();
  await pace.take();
  const second = pace.take().then(() => clock.now() - startedAt);
  await clock.advance(5_000);
  expect(await second).toBe(500);
});

test("an aborted signal ends the waiting", async () => {
  expect(await turnsOf(2, 1, AbortSignal.abort())).toEqual(["given up", "given up"]);
});
