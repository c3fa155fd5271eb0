import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { killsQuick } from "../../scripts/faults/chaos.ts";
import { freezeAt, killAt, mailsPerKill } from "../../scripts/faults/kills.ts";
import { killMidRound, roundMoments } from "../../scripts/faults/mid-round.ts";
import { frozenPhases, phases } from "../../scripts/faults/moments.ts";
import type { FaultWorld } from "../../scripts/faults/world.ts";
import { openFaultWorld, rowsBeside } from "../../scripts/faults/world.ts";
import { Semaphore } from "../../src/email/event-log/flow/lanes.ts";
import { findEngine } from "../../support/engines.ts";
import { hasOwnKafka } from "../../support/own-kafka.ts";
import { hasRedisServer } from "../../support/own-redis.ts";

const program = findEngine("instant") ?? "";
const lanes = new Semaphore(rowsBeside);
const waitingIncludedMs = 250_000;
const complete = program !== "" && hasOwnKafka() && hasRedisServer();

describe.skipIf(!complete)("serve-email", () => {
  let world: FaultWorld;
  beforeAll(async () => {
    world = await openFaultWorld(program);
  }, 60_000);
  afterAll(() => world[Symbol.asyncDispose]());

  for (const phase of phases) {
    test.concurrent(
      `killed ${phase.name}: no mail lost, none twice but a code that waited for its final reply`,
      async () => {
        const tally = await lanes.use(() => killAt(world, phase, killsQuick));
        expect(tally.mails).toBeGreaterThanOrEqual(killsQuick * mailsPerKill);
        expect(tally).toMatchObject({ lost: 0, breaches: [] });
      },
      waitingIncludedMs,
    );
  }

  for (const moment of roundMoments) {
    test.concurrent(
      `killed ${moment.name}: no mail lost, none twice but a code that waited for its final reply`,
      async () => {
        const { tally } = await lanes.use(() => killMidRound(world, moment, 2));
        expect(tally).toMatchObject({ lost: 0, breaches: [] });
      },
      waitingIncludedMs,
    );
  }

  for (const phase of frozenPhases) {
    test.concurrent(
      `frozen ${phase.name} and woken: no mail lost, none twice but a code that waited for its final reply`,
      async () => {
        const tally = await lanes.use(() => freezeAt(world, phase, 1));
        expect(tally).toMatchObject({ mails: mailsPerKill, lost: 0, breaches: [] });
      },
      waitingIncludedMs,
    );
  }
});
