import { describe, expect, test } from "bun:test";
import { eventually } from "../../support/eventually.ts";
import type { SinkAction, SinkStage } from "../../support/smtp-sink/behaviour.ts";
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
