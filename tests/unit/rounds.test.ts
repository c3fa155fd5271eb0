import { expect, test } from "bun:test";
import { eventually } from "../../support/eventually.ts";
import type { Step } from "../support/rounds-rig.ts";
import { done, lost, RoundsRig, turns, unavailable } from "../support/rounds-rig.ts";
import { SeededRandom } from "../support/seeded-random.ts";

const refused = {
  kind: "refused",
  host: "mx",
  stage: "recipient",
  code: 550,
  enhancedCode: "5.1.1",
  reply: "550 5.1.1 unknown",
} as const;

test("one mail alone does not wait: its round closes at once", async () => {
  const rig = new RoundsRig();
  const mail = rig.submit();
  rig.take(mail);
  await turns();
  expect(rig.calls).toHaveLength(1);
  expect(rig.steps.get(mail)).toEqual([]); // the dot waits for the ledger
  rig.calls[0]?.answer(() => done);
  await turns();
  expect(rig.steps.get(mail)).toEqual(["dot"]);
});

test("while a connection is free, a mail waits for no other", async () => {
  const rig = new RoundsRig({ connections: 3 });
  const [ready] = [rig.submit(), rig.submit()];
  rig.take(ready);
  await turns();
  expect(rig.calls).toHaveLength(1);
});

test("a round is one call: the dots of all go once submitting is written, accepted with the next", async () => {
  const rig = new RoundsRig({ connections: 2 });
  const [a, b, c] = [rig.submit(), rig.submit(), rig.submit()];
  rig.take(a);
  rig.take(b);
  await turns();
  expect(rig.calls[0]?.steps.map(({ change }) => change.kind)).toEqual([
    "submitting",
    "submitting",
  ]);
  rig.calls[0]?.answer(() => done);
  await turns();
  rig.accept(a);
  rig.accept(b);
  rig.take(c);
  await turns();
  expect(rig.calls[1]?.steps.map(({ claim, change }) => [claim.messageId, change.kind])).toEqual([
    [c, "submitting"],
    [a, "accepted"],
    [b, "accepted"],
  ]);
  expect(rig.steps.get(a)).toEqual(["dot"]);
  rig.calls[1]?.answer(() => done);
  await turns();
  expect([a, b, c].map((mail) => rig.steps.get(mail))).toEqual([
    ["dot", "accepted"],
    ["dot", "accepted"],
    ["dot"],
  ]);
  expect(rig.lines.filter((line) => line === "Marked email as processed")).toHaveLength(2);
});

test("a slow connection holds nobody up: the round closes without it", async () => {
  const rig = new RoundsRig({ connections: 2 });
  const [quick, slow] = [rig.submit(), rig.submit()];
  rig.take(quick);
  await eventually("the round is closed", () => rig.calls.length === 1);
  rig.calls[0]?.answer(() => done);
  await turns();
  expect(rig.steps.get(quick)).toEqual(["dot"]);
  expect(rig.steps.get(slow)).toEqual([]);
});

test("a mail is withheld where its claim was lost or the ledger did not answer; the others go", async () => {
  const rig = new RoundsRig();
  const [fine, taken, unanswered] = [rig.submit(), rig.submit(), rig.submit()];
  for (const mail of [fine, taken, unanswered]) rig.take(mail);
  await turns();
  rig.calls[0]?.answer(({ claim }) => {
    if (claim.messageId === taken) return lost;
    return claim.messageId === unanswered ? unavailable : done;
  });
  await turns();
  expect([fine, taken, unanswered].map((mail) => rig.steps.get(mail))).toEqual([
    ["dot"],
    ["withheld", "not accepted"],
    ["withheld", "not accepted"],
  ]);
});

test("no dot goes for a mail that expired, nor when a third of the lease is gone", async () => {
  const rig = new RoundsRig();
  const expired = rig.submit({ expiresAt: rig.clock.now() });
  const late = rig.submit();
  rig.take(expired);
  rig.take(late);
  await turns();
  expect(rig.calls[0]?.steps.map(({ claim }) => claim.messageId)).toEqual([late]);
  await rig.clock.advance(15_000);
  rig.calls[0]?.answer(() => done);
  await turns();
  expect(rig.steps.get(expired)).toEqual(["withheld", "not accepted"]);
  expect(rig.steps.get(late)).toEqual(["withheld", "not accepted"]);
});

test("an acceptance that the ledger did not answer for is recorded alone", async () => {
  const rig = new RoundsRig();
  const mail = rig.submit();
  rig.take(mail);
  await turns();
  rig.calls[0]?.answer(() => done);
  await turns();
  rig.accept(mail);
  await turns();
  rig.calls[1]?.answer(() => unavailable);
  await turns();
  expect(rig.recordedAlone).toEqual([mail]);
  expect(rig.steps.get(mail)).toEqual(["dot", "accepted"]);
});

test("a bug in the ledger fails the mails of its round, and no dot goes", async () => {
  const rig = new RoundsRig();
  const mail = rig.submit();
  rig.take(mail);
  await turns();
  rig.calls[0]?.fail(new TypeError("a bug"));
  await turns();
  expect(rig.steps.get(mail)).toEqual(["withheld", "failed"]);
});

test("random rounds: each mail ends once, and no dot goes before its submitting is written", async () => {
  for (let seed = 1; seed <= 60; seed += 1) {
    const random = new SeededRandom(seed);
    const rig = new RoundsRig({ connections: 1 + random.below(5) });
    const written = new Set<string>();
    const onWire = new Set<string>();
    const answered = new Set<string>();
    const answerOne = () => {
      const [call] = rig.calls.splice(random.below(rig.calls.length), 1);
      call?.answer(({ claim, change }) => {
        if (random.chance(0.1)) return random.chance(0.5) ? unavailable : lost;
        if (change.kind === "submitting") written.add(claim.messageId);
        return done;
      });
    };
    const step = (dice: number) => {
      const mail = random.pick([...onWire]);
      const dotted = rig.withDot.filter((each) => !answered.has(each));
      const replied = random.pick(dotted);
      if (dice < 4) onWire.add(rig.submit());
      else if (dice < 7 && mail !== undefined) {
        onWire.delete(mail);
        if (dice < 6) rig.take(mail);
        else rig.settle(mail, refused);
      } else if (dice < 9 && replied !== undefined) {
        answered.add(replied);
        rig.accept(replied);
      } else answerOne();
    };
    for (let count = 0; count < 100; count += 1) {
      step(random.below(10));
      await turns();
      expect(
        rig.withDot.filter((mail) => !written.has(mail)),
        `seed ${seed}`,
      ).toEqual([]);
    }
    const isOver = () => {
      for (let count = 0; count < 20; count += 1) step(4 + random.below(6));
      return [...rig.steps.values()].every((steps) => endsOf(steps).length > 0);
    };
    await eventually(`seed ${seed}: all mails have ended`, isOver);
    for (const steps of rig.steps.values()) expect(endsOf(steps), `seed ${seed}`).toHaveLength(1);
  }
});

function endsOf(steps: readonly Step[]): readonly Step[] {
  return steps.filter((step) => step !== "dot" && step !== "withheld");
}
