import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { outages, runOutage } from "../../scripts/faults/outages.ts";
import { quickScale } from "../../scripts/faults/stage.ts";
import type { FaultWorld } from "../../scripts/faults/world.ts";
import { openFaultWorld } from "../../scripts/faults/world.ts";
import { findEngine } from "../support/engines.ts";
import { hasOwnKafka } from "../support/own-kafka.ts";
import { hasRedisServer } from "../support/own-redis.ts";

const program = findEngine("instant") ?? "";
const complete = program !== "" && hasOwnKafka() && hasRedisServer();

describe.skipIf(!complete)("under a load of mails", () => {
  let world: FaultWorld;
  beforeAll(async () => {
    world = await openFaultWorld(program);
  }, 60_000);
  afterAll(() => world[Symbol.asyncDispose]());

  for (const outage of outages) {
    test(`${outage.name}: no mail lost, none twice but a code whose answer was awaited`, async () => {
      const { tally } = await runOutage(world, outage, quickScale);
      expect(tally.mails).toBeGreaterThan(quickScale.perSecond);
      expect(tally).toMatchObject({ lost: 0, breaches: [] });
      if (outage.serverAtFault) expect(Object.keys(tally.parked)).toEqual([]);
    }, 180_000);
  }
});
