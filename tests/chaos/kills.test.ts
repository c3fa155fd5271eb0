import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { killAt } from "../../scripts/faults/kill-at.ts";
import { phases } from "../../scripts/faults/phases.ts";
import type { FaultWorld } from "../../scripts/faults/world.ts";
import { openFaultWorld } from "../../scripts/faults/world.ts";
import { findEngine } from "../support/engines.ts";
import { hasOwnKafka } from "../support/own-kafka.ts";
import { hasRedisServer } from "../support/own-redis.ts";

const program = findEngine("instant") ?? "";
const complete = program !== "" && hasOwnKafka() && hasRedisServer();
const kills = Number(process.env["TEST_KILLS"] ?? 3);

describe.skipIf(!complete)(`serve-email killed ${kills} times`, () => {
  let world: FaultWorld;
  beforeAll(async () => {
    world = await openFaultWorld(program);
  }, 60_000);
  afterAll(() => world[Symbol.asyncDispose]());

  for (const phase of phases) {
    test(`${phase.name}: no mail lost, none twice but a code whose answer was awaited`, async () => {
      const tally = await killAt(world, phase, kills);
      expect({ lost: tally.lost, unexplained: tally.unexplained }).toEqual({
        lost: 0,
        unexplained: [],
      });
    }, 120_000);
  }
});
