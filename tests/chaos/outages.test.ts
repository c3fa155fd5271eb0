import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Outage } from "../../scripts/faults/outages.ts";
import { outages, runOutage } from "../../scripts/faults/outages.ts";
import { quickScale } from "../../scripts/faults/stage.ts";
import type { FaultWorld } from "../../scripts/faults/world.ts";
import { openFaultWorld, rowsBeside } from "../../scripts/faults/world.ts";
import { Semaphore } from "../../src/email/event-log/flow/lanes.ts";
import { findEngine } from "../../support/engines.ts";
import { hasOwnKafka } from "../../support/own-kafka.ts";
import { hasRedisServer } from "../../support/own-redis.ts";

const program = findEngine("instant") ?? "";
const lanes = new Semaphore(rowsBeside);
const waitingIncludedMs = 180_000;
const complete = program !== "" && hasOwnKafka() && hasRedisServer();

describe.skipIf(!complete)("under a load of mails", () => {
  let world: FaultWorld;
  beforeAll(async () => {
    world = await openFaultWorld(program);
  }, 60_000);
  afterAll(() => world[Symbol.asyncDispose]());

  // Those that stop the shared Kafka or Redis come first, one after the other.
  for (const outage of outages.filter(({ alone }) => alone)) {
    test(nameOf(outage), () => play(outage), waitingIncludedMs);
  }
  for (const outage of outages.filter(({ alone }) => !alone)) {
    test.concurrent(nameOf(outage), () => lanes.use(() => play(outage)), waitingIncludedMs);
  }

  async function play(outage: Outage): Promise<void> {
    const { tally } = await runOutage(world, outage, quickScale);
    expect(tally.mails).toBeGreaterThan(quickScale.perSecond);
    expect(tally).toMatchObject({ lost: 0, breaches: [] });
  }
});

function nameOf({ name }: Outage): string {
  return `${name}: no mail lost, none twice but a code that waited for its final reply`;
}
