import { describe, expect, test } from "bun:test";
import type { SendOutcome } from "../../src/email/mailer/mailer.ts";
import { eventually } from "../../support/eventually.ts";
import type { SinkAction, SinkRule, SinkStage } from "../../support/smtp-sink/behaviour.ts";
import { SeededRandom } from "../support/seeded-random.ts";
import type { SmtpRig } from "../support/smtp-rig.ts";
import { openSmtpRig, quickTimeouts } from "../support/smtp-rig.ts";

const drop: SinkAction = { kind: "drop" };
const hang: SinkAction = { kind: "hang" };
const cut: SinkAction = { kind: "raw", bytes: "250 2.0.0 Ok: que", close: true };
const cutRefusal: SinkAction = { kind: "raw", bytes: "550 5.7.1 n", close: true };
const half: SinkAction = { kind: "raw", bytes: "250-2.0.0 Ok\r\n", close: true };
const trickle: SinkAction = { kind: "trickle", ms: 100, count: true };

/** How the connection breaks, where, and what may be said of the message then. */
const rows: readonly (readonly [
  name: string,
  at: SinkStage,
  does: SinkAction,
  kind: "lost" | "ambiguous",
])[] = [
  ["a drop at MAIL FROM", "mail", drop, "lost"],
  ["silence at MAIL FROM", "mail", hang, "lost"],
  ["a drop at RCPT", "rcpt", drop, "lost"],
  ["silence at RCPT", "rcpt", hang, "lost"],
  ["half a refusal of RCPT", "rcpt", cutRefusal, "lost"],
  ["a drop at DATA", "data", drop, "lost"],
  ["silence at DATA", "data", hang, "lost"],
  ["a drop before the dot", "content", drop, "lost"],
  ["a drop after the dot, not accepted", "dot", drop, "ambiguous"],
  ["a drop after the dot, accepted", "dot", { ...drop, count: true }, "ambiguous"],
  ["silence after the dot, not accepted", "dot", hang, "ambiguous"],
  ["silence after the dot, accepted", "dot", { ...hang, count: true }, "ambiguous"],
  ["half a reply after the dot", "dot", cut, "ambiguous"],
  ["half a refusal after the dot", "dot", cutRefusal, "ambiguous"],
  ["one line of two after the dot", "dot", half, "ambiguous"],
  ["a reply byte by byte after the dot", "dot", trickle, "ambiguous"],
];

for (const extensions of [["PIPELINING"], []]) {
  describe(`A broken session ${extensions.length > 0 ? "with" : "without"} pipelining`, () => {
    for (const [name, at, does, kind] of rows) {
      test(`${name}: ${kind}`, async () => {
        const timesOut = does.kind === "hang" || does.kind === "trickle";
        await using rig = await openSmtpRig(timesOut ? quickTimeouts : {}, { extensions });
        rig.sink.misbehave({ at, does, times: 1 });
        const beforeContentEnds = async () => at !== "content" || (await untilNoticed(rig));
        const outcome = await rig.send("m1", { beforeContentEnds });
        expect(outcome).toMatchObject({ host: "127.0.0.1" });
        expect([outcome.kind, rig.sink.acceptedTotal]).toEqual([kind, does.count ? 1 : 0]);
        expect(await rig.send("m2")).toMatchObject({ kind: "accepted" });
      });
    }
  });
}

/** The sink dropped the connection, and the client had turns of the event loop to read that. */
async function untilNoticed({ sink }: SmtpRig): Promise<true> {
  await eventually("the sink drops", () => sink.sessions.open === 0);
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  return true;
}

describe("The dot", () => {
  test("is not on the wire while beforeContentEnds is pending", async () => {
    await using rig = await openSmtpRig();
    const asked = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<boolean>();
    const content = rig.sink.reaches("content");
    const sending = rig.send("m1", {
      beforeContentEnds: () => {
        asked.resolve();
        return answer.promise;
      },
    });
    await Promise.all([asked.promise, content]);
    expect(rig.sink.reachedTotal.dot).toBe(0);
    answer.resolve(true);
    expect(await sending).toMatchObject({ kind: "accepted" });
    expect(rig.sink.reachedTotal.dot).toBe(1);
  });

  test("is never written once beforeContentEnds took longer than the reply timeout", async () => {
    await using rig = await openSmtpRig(quickTimeouts);
    const answer = Promise.withResolvers<boolean>();
    const sending = rig.send("m1", { beforeContentEnds: () => answer.promise });
    await rig.sink.reaches("content");
    setTimeout(() => answer.resolve(true), 300);
    expect(await sending).toMatchObject({ kind: "lost" });
    expect(await rig.send("m2")).toMatchObject({ kind: "accepted" });
    expect([...rig.sink.countByMessageId()]).toEqual([["m2", 1]]);
  });

  test("withheld: the server has the whole content and accepts nothing", async () => {
    await using rig = await openSmtpRig();
    const content = rig.sink.reaches("content");
    const outcome = await rig.send("m1", {
      beforeContentEnds: async () => {
        await content;
        return false;
      },
    });
    expect(outcome).toEqual({ kind: "withheld" });
    expect(rig.sink.acceptedTotal).toBe(0);
    expect(rig.sink.reachedTotal.dot).toBe(0);
  });
});

describe("An aborted signal", () => {
  test("withholds a message while the server is silent before the dot", async () => {
    await using rig = await openSmtpRig();
    rig.sink.misbehave({ at: "rcpt", does: { kind: "hang" } });
    const abort = new AbortController();
    const reached = rig.sink.reaches("rcpt");
    const sending = rig.send("m1", { signal: abort.signal });
    await reached;
    abort.abort();
    expect(await sending).toEqual({ kind: "withheld" });
  });

  test("after the dot waits for the reply all the same", async () => {
    await using rig = await openSmtpRig();
    rig.sink.misbehave({ at: "dot", does: { kind: "delay", ms: 50 } });
    const abort = new AbortController();
    const reached = rig.sink.reaches("dot");
    const sending = rig.send("m1", { signal: abort.signal });
    await reached;
    abort.abort();
    expect(await sending).toMatchObject({ kind: "accepted" });
  });
});

const messages = 150;
const connections = 6;
const stages: readonly SinkStage[] = ["connect", "ehlo", "mail", "rcpt", "data", "content", "dot"];

/** What the sink knows to be true is what an outcome must never contradict. */
const timesAccepted: Readonly<Record<SendOutcome["kind"], readonly number[]>> = {
  accepted: [1],
  ambiguous: [0, 1],
  refused: [0],
  deferred: [0],
  throttled: [0],
  server_down: [0],
  lost: [0],
  withheld: [0],
};

for (let seed = 1; seed <= 8; seed += 1) {
  test(`no outcome contradicts what the server did, seed ${seed}`, async () => {
    const random = new SeededRandom(seed);
    const extensions = random.below(2) === 0 ? [] : ["PIPELINING"];
    const timeouts = { greetingTimeoutMs: 40, replyTimeoutMs: 40, idleMsMax: 20 };
    const bounds = { connections, messagesPerConnectionMax: 7 };
    await using rig = await openSmtpRig({ ...timeouts, ...bounds }, { extensions });
    const ids = Array.from({ length: messages }, (_, index) => `m${index}`);
    const outcomes = await Promise.all(ids.map((id) => sendAmidTrouble(rig, random, id)));
    const counts = rig.sink.countByMessageId();
    const wrong = outcomes
      .map(({ kind }, index) => [kind, counts.get(ids[index] ?? "") ?? 0] as const)
      .filter(([kind, count]) => !timesAccepted[kind].includes(count));
    expect(wrong).toEqual([]);
    rig.sink.setBehaviour([]);
    const goesThrough = async () => (await rig.send("after")).kind === "accepted";
    await eventually("a mail goes through afterwards", goesThrough);
    expect(rig.sink.sessions.open).toBeLessThanOrEqual(connections);
  });
}

async function sendAmidTrouble(rig: SmtpRig, random: SeededRandom, id: string) {
  const trouble = random.below(3);
  if (trouble > 0) rig.sink.misbehave(randomRule(random));
  if (random.below(40) === 0) setTimeout(() => rig.sink.dropConnections(), random.below(100));
  const abort = new AbortController();
  if (random.below(6) === 0) setTimeout(() => abort.abort(), random.below(200));
  const answer = random.below(10) > 0;
  const delayMs = random.below(3) === 0 ? random.below(60) : 0;
  const beforeContentEnds = async () => {
    await Bun.sleep(delayMs);
    return answer;
  };
  return rig.send(id, { beforeContentEnds, signal: abort.signal });
}

function randomRule(random: SeededRandom): SinkRule {
  const at = random.pick(stages) ?? "dot";
  const count = at === "dot" && random.chance(0.5);
  const close = at === "content"; // a server that refuses early does not accept afterwards
  const does: readonly SinkAction[] = [
    { kind: "reply", text: "451 4.7.1 later", close },
    { kind: "reply", text: "550 5.7.1 no", close },
    { kind: "reply", text: "421 4.3.2 stopping", close: true },
    { kind: "drop", count },
    { kind: "hang", count },
    { kind: "delay", ms: random.below(80), count },
    { kind: "raw", bytes: "250 2.0", close: true, count },
    { kind: "raw", bytes: "nonsense\r\n", close, count },
  ];
  return { at, does: random.pick(does) ?? { kind: "accept" }, times: 1 };
}
