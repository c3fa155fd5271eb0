import { expect, test } from "bun:test";
import type { SendOutcome } from "../../src/email/mailer/mailer.ts";
import { eventually } from "../../support/eventually.ts";
import type { SinkAction, SinkRule, SinkStage } from "../../support/smtp-sink/behaviour.ts";
import { SeededRandom } from "../support/seeded-random.ts";
import type { SmtpRig } from "../support/smtp-rig.ts";
import { openSmtpRig } from "../support/smtp-rig.ts";

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
