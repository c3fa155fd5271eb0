import { describe, expect, test } from "bun:test";
import { quietMs, ServerStreak } from "../../src/email/mailer/server-streak.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { SeededRandom } from "../support/seeded-random.ts";

function openStreak(refusalsMax = 4) {
  const clock = new FakeClock();
  return { clock, streak: new ServerStreak({ clock, refusalsMax }) };
}

/** What became of refusals, in the order in which they were settled. */
function follow(streak: ServerStreak, recipients: readonly string[]) {
  const settled: string[] = [];
  const trips = recipients.map((recipient) => {
    const verdict = streak.refused(recipient);
    void verdict?.then((is) => settled.push(`${recipient} ${is}`));
    return verdict === undefined;
  });
  return { settled, trips };
}

describe("a server's streak", () => {
  test("of so many different recipients is its fault, and blames none of them", async () => {
    const { clock, streak } = openStreak();
    const { settled, trips } = follow(streak, ["a@x", "b@x", "a@x", "c@x", "d@x"]);
    await clock.advance(0);
    expect(trips).toEqual([false, false, false, false, true]);
    expect(settled.map((line) => line.split(" ")[1])).toEqual(Array(4).fill("server_at_fault"));
    expect([...streak.refusedDomains]).toEqual(["x"]);
  });

  test("ends with an acceptance; only one begun after a refusal confirms it", async () => {
    const { clock, streak } = openStreak();
    const early = streak.begin();
    const { settled } = follow(streak, ["a@x", "b@x", "c@x"]);
    const late = streak.begin();
    streak.accepted(early, "e@x");
    await clock.advance(0);
    expect(settled).toEqual([]);
    expect(follow(streak, ["d@x"]).trips).toEqual([false]); // the count began anew
    streak.accepted(late, "f@x");
    await clock.advance(0);
    expect(settled).toEqual(["a@x refused", "b@x refused", "c@x refused"]);
  });

  test("of few is believed once nothing more was refused for 5 s", async () => {
    const { clock, streak } = openStreak();
    const { settled } = follow(streak, ["a@x"]);
    await clock.advance(quietMs - 1);
    const later = follow(streak, ["b@x"]);
    await clock.advance(quietMs - 1);
    expect(settled).toEqual([]);
    await clock.advance(1);
    expect([...settled, ...later.settled]).toEqual(["a@x refused", "b@x refused"]);
    expect(follow(streak, ["c@x", "d@x"]).trips).toEqual([false, true]); // none was accepted yet
  });

  test("of ten deferrals of at least two recipients is its fault", () => {
    const { streak } = openStreak();
    for (let n = 0; n < 20; n += 1) expect(streak.deferred("a@x")).toBe(false);
    expect(streak.deferred("b@y")).toBe(true);
    for (let n = 0; n < 9; n += 1) expect(streak.deferred(`${n}@x`)).toBe(false);
    streak.accepted(streak.begin(), "z@x");
    expect(streak.deferred("c@x")).toBe(false);
  });

  test("of deferrals at one domain speaks for the server once, and not while it takes others", () => {
    const { streak } = openStreak();
    const tenAt = (domain: string) =>
      Array.from({ length: 10 }, (_, n) => streak.deferred(`${n}@${domain}`)).at(-1);
    expect(tenAt("x")).toBe(true); // nothing was accepted yet: it may be the server
    expect(tenAt("x")).toBe(false); // it was probed well since, so it is the domain
    streak.accepted(streak.begin(), "a@y");
    expect([tenAt("x"), tenAt("z")]).toEqual([false, false]);
    streak.accepted(streak.begin(), "a@x");
    expect(tenAt("x")).toBe(true);
  });

  test("settles every refusal once, whatever comes in whatever order", async () => {
    for (let seed = 1; seed <= 50; seed += 1) {
      const seeded = new SeededRandom(seed);
      const random = () => seeded.next();
      const { clock, streak } = openStreak(2 + Math.floor(random() * 4));
      const begun: number[] = [];
      const settled: string[] = [];
      let waiting = 0;
      for (let step = 0; step < 60; step += 1) {
        const dice = random();
        if (dice < 0.3) begun.push(streak.begin());
        else if (dice < 0.45) streak.accepted(begun.shift() ?? streak.begin(), "z@x");
        else if (dice < 0.5) await clock.advance(random() * 2 * quietMs);
        else {
          const verdict = streak.refused(`${Math.floor(random() * 9)}@x`);
          if (verdict !== undefined) waiting += 1;
          void verdict?.then((is) => settled.push(is));
        }
      }
      await clock.advance(2 * quietMs);
      expect(settled.length).toBe(waiting);
      expect(clock.sleeping).toBe(0);
    }
  });
});
