import { expect, test } from "bun:test";
import { assumed, computeDemand } from "../../../scripts/scaling/demand.ts";

const cost = { cpuMicros: 100, redisBytes: 1000, redisCalls: 4, eventBytes: 300 };
const day = 86_400;

test("the busiest second decides the cores, the connections and the calls", () => {
  const demand = computeDemand(100 * day, cost);
  expect(demand.averagePerSecond).toBe(100);
  expect(demand.peakPerSecond).toBe(100 * assumed.peakFactor);
  expect(demand.cores).toBeCloseTo(0.1);
  expect(demand.connections).toBe(1000 * assumed.secondsPerMail);
  expect(demand.redisCallsPerSecond).toBe(4000);
});

test("the day decides the memory of the ledger", () => {
  expect(computeDemand(1_000_000, cost).redisBytes).toBe(1e9);
});

test("one process is never enough, and each has partitions of its own", () => {
  const { replicas, partitions } = computeDemand(day, cost);
  expect(replicas).toBe(assumed.replicasMin);
  expect(partitions).toBeGreaterThanOrEqual(replicas);
});

test("the bottleneck is what costs most of what there is", () => {
  const first = (changed: Partial<typeof cost>) =>
    computeDemand(10_000_000, { ...cost, ...changed }).shares[0]?.of;
  expect(first({})).toContain("SMTP connections");
  expect(first({ redisBytes: 1e6 })).toBe("the memory of one Redis shard");
  expect(first({ redisCalls: 1000 })).toBe(
    "the calls that one Redis shard takes, one for each step",
  );
  expect(first({ cpuMicros: 1e6 })).toBe("the core that one serve-email can use");
});
