import { describe, expect, test } from "bun:test";
import { systemClock } from "../../src/core/time.ts";
import type { ReplayDeps } from "../../src/email/dead-letters/replay.ts";
import { planReplay, replayDeadLetters } from "../../src/email/dead-letters/replay.ts";
import type {
  Histogram,
  ReplayPlace,
  ReplaySelection,
} from "../../src/email/dead-letters/replay-plan.ts";
import type { EmailEvent } from "../../src/email/event.ts";
import type { EventLog } from "../../src/email/event-log/event-log.ts";
import { findEngine } from "../../support/engines.ts";
import { codeEvent, welcomeEvent } from "../../support/events.ts";
import type { DeliveryRig, DeliveryRigOptions } from "../support/delivery-rig.ts";
import { openDeliveryRig } from "../support/delivery-rig.ts";

const everything: ReplaySelection = {
  classes: undefined,
  messageId: undefined,
  recipient: undefined,
  since: undefined,
  maxReplays: 3,
  includeTooOld: false,
};

/** Replayed dead letters: what was wrong is fixed, what was sent stays sent. */
function replaySuite(engines: DeliveryRigOptions): void {
  const refusal = { kind: "reply", text: "554 5.7.1 not today" } as const;

  /** A rig with a worker, and one dead letter for each event. */
  async function openBuried(events: readonly EmailEvent[]): Promise<DeliveryRig> {
    const rig = await openDeliveryRig(engines);
    await rig.startWorker();
    rig.sink.setBehaviour([{ at: "rcpt", does: refusal }]);
    for (const event of events) await rig.publish(event);
    await rig.untilDrained();
    rig.sink.setBehaviour([]);
    return rig;
  }

  const depsOf = (rig: DeliveryRig): ReplayDeps => ({ ...rig, clock: systemClock });

  async function wholeTopic(rig: DeliveryRig): Promise<ReplayPlace> {
    const offsets = await rig.eventLog.offsets(rig.deadLetterTopic);
    const partitions = offsets.map(({ partition, earliest, next }) => ({
      partition,
      next: earliest,
      to: next,
    }));
    return { startedAt: "2026-01-01T00:00:00Z", replayed: 0, partitions };
  }

  async function replay(rig: DeliveryRig, selection = everything, limit = 1000): Promise<number> {
    const place = await wholeTopic(rig);
    const options = { selection, place, limit, perSecond: 10_000, onProgress: () => {} };
    const { place: end } = await replayDeadLetters(depsOf(rig), options);
    await rig.untilDrained();
    return end.replayed;
  }

  async function plan(rig: DeliveryRig, selection = everything): Promise<Histogram> {
    const { histogram } = await planReplay(depsOf(rig), {
      selection,
      place: await wholeTopic(rig),
      limit: 1000,
    });
    return histogram;
  }

  describe("replayed dead letters", () => {
    test("are sent once each once the cause is fixed, and a second replay takes none", async () => {
      const events = Array.from({ length: 12 }, () => welcomeEvent());
      await using rig = await openBuried(events);
      expect(await replay(rig)).toBe(12);
      const counts = rig.sink.countByMessageId();
      expect(events.map((event) => counts.get(event.messageId))).toEqual(events.map(() => 1));
      expect(await replay(rig)).toBe(0);
      expect((await plan(rig)).get("rejected")?.skipped).toEqual(
        new Map([["accepted meanwhile", 12]]),
      );
    });

    test("that are refused again become dead letters with a higher replay count, up to the limit", async () => {
      await using rig = await openBuried([welcomeEvent()]);
      rig.sink.setBehaviour([{ at: "rcpt", does: refusal }]);
      for (const moved of [1, 1, 1, 0]) expect(await replay(rig)).toBe(moved);
      const deadLetters = await rig.deadLetters();
      expect(deadLetters.map(({ facts }) => facts.replayCount)).toEqual([0, 1, 2, 3]);
    });

    test("whose code has expired meanwhile are skipped and counted", async () => {
      const dying = codeEvent();
      await using rig = await openBuried([{ ...dying, expiresAt: dying.timestamp + 700 }]);
      await Bun.sleep(Math.max(dying.timestamp + 701 - Date.now(), 0)); // until it is dead
      expect((await plan(rig)).get("rejected")?.skipped).toEqual(new Map([["expired", 1]]));
    });

    test("are chosen by recipient, id, class and number", async () => {
      const [ana, bo, cy] = [
        welcomeEvent({ recipient: "Ana@example.com" }),
        welcomeEvent(),
        welcomeEvent(),
      ] as const;
      await using rig = await openBuried([ana, bo, cy]);
      const classes = new Set(["malformed"] as const);
      expect(await replay(rig, { ...everything, classes })).toBe(0);
      expect(await replay(rig, { ...everything, recipient: "ana@example.com" })).toBe(1);
      expect(await replay(rig, { ...everything, messageId: bo.messageId })).toBe(1);
      expect(await replay(rig, everything, 1)).toBe(1);
      expect(rig.sink.accepted.map(({ messageId }) => messageId)).toEqual([
        ana.messageId,
        bo.messageId,
        cy.messageId,
      ]);
    });

    test("that are ambiguous wait for a person to name their class", async () => {
      await using rig = await openDeliveryRig(engines);
      await rig.startWorker();
      rig.sink.setBehaviour([{ at: "dot", does: { kind: "drop" }, times: 1 }]);
      const event = welcomeEvent();
      await rig.publish(event);
      await rig.untilDrained();
      expect(await replay(rig)).toBe(0);
      expect(await replay(rig, { ...everything, classes: new Set(["ambiguous"]) })).toBe(1);
      expect(rig.sink.countByMessageId().get(event.messageId)).toBe(1);
    });

    test("that are malformed come back as they were, counted", async () => {
      await using rig = await openDeliveryRig(engines);
      await rig.startWorker();
      const value = new TextEncoder().encode("{");
      await rig.publishRecord({ key: null, value, headers: [["trace", null]] });
      await rig.untilDrained();
      expect(await replay(rig)).toBe(1);
      const [, again] = await rig.deadLetters();
      expect(again?.facts).toMatchObject({ class: "malformed", replayCount: 1 });
      for (const moved of [1, 1, 0]) expect(await replay(rig)).toBe(moved); // the newest dead letter alone
      expect(await rig.deadLetters()).toHaveLength(4);
      expect(again?.record.headers[0]).toEqual(["trace", null]);
    });
  });

  test("an interrupted replay goes on where it was, and sends nothing twice", async () => {
    const events = Array.from({ length: 450 }, () => welcomeEvent());
    await using rig = await openBuried(events);
    const abort = new AbortController();
    const saved: ReplayPlace[] = [];
    const options = { selection: everything, limit: 1000, perSecond: 1000 };
    const { place } = await replayDeadLetters(depsOf(rig), {
      ...options,
      place: await wholeTopic(rig),
      signal: abort.signal,
      onProgress: (newest) => {
        saved.push(newest);
        abort.abort();
      },
    });
    expect(place).toEqual(saved[0] as ReplayPlace);
    expect(place.replayed).toBeLessThan(events.length);
    const resumed = { ...options, place, onProgress: () => {} };
    const { place: end } = await replayDeadLetters(depsOf(rig), resumed);
    expect(end.replayed).toBe(events.length);
    await rig.untilDrained(30_000);
    const counts = [...rig.sink.countByMessageId().values()];
    expect(counts).toEqual(events.map(() => 1));
  });

  test("a replay whose batch is not acknowledged keeps its place before that batch", async () => {
    const events = Array.from({ length: 130 }, () => welcomeEvent());
    await using rig = await openBuried(events);
    const refused = new Error("not acknowledged");
    let [calls, underWay] = [0, 0];
    const eventLog: EventLog = {
      ...rig.eventLog,
      publish: async (...args) => {
        calls += 1;
        underWay += 1;
        expect(underWay).toBe(1);
        if (calls === 2) throw refused;
        const positions = await rig.eventLog.publish(...args);
        underWay -= 1;
        return positions;
      },
    };
    const saved: ReplayPlace[] = [];
    const moving = replayDeadLetters(
      { ...depsOf(rig), eventLog },
      {
        selection: everything,
        place: await wholeTopic(rig),
        limit: 1000,
        perSecond: 250, // batches of 50
        onProgress: (newest) => saved.push(newest),
      },
    );
    expect(await moving.catch((error) => error)).toBe(refused);
    const [place, ...later] = saved;
    expect([place?.replayed, later]).toEqual([50, []]);
    await rig.untilDrained();
    const rest = { selection: everything, limit: 1000, perSecond: 10_000, onProgress: () => {} };
    if (place === undefined) throw new Error("no place was kept");
    await replayDeadLetters(depsOf(rig), { ...rest, place });
    await rig.untilDrained();
    expect([...rig.sink.countByMessageId().values()]).toEqual(events.map(() => 1));
  });
}

describe("replay on the embedded engines", () => {
  replaySuite({});
});

const kafka = findEngine("kafka");
const redis = findEngine("redis");

describe.skipIf(kafka === undefined || redis === undefined)("replay on Kafka and Redis", () => {
  replaySuite({ kafka, redis });
});
