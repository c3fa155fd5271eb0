import { expect, test } from "bun:test";
import { InstantError } from "../../src/core/errors.ts";
import type { PartitionLag } from "../../src/email/event-log/event-log.ts";
import { eventLogErrors } from "../../src/email/event-log/event-log.ts";
import { LagReader } from "../../src/email/event-log/lag-reader.ts";
import { FakeClock } from "../support/fake-clock.ts";

function lagOf(records: number): PartitionLag {
  return { partition: 0, owner: undefined, committed: 0, records, seconds: 0 };
}

/** A log whose calls wait until the test answers them. */
function openReader() {
  const clock = new FakeClock();
  const calls: PromiseWithResolvers<readonly PartitionLag[]>[] = [];
  const eventLog = {
    lag: () => {
      const call = Promise.withResolvers<readonly PartitionLag[]>();
      calls.push(call);
      return call.promise;
    },
  };
  const reader = new LagReader({ eventLog, topic: "topic", group: "group", clock });
  const answer = async (records: number) => {
    calls.at(-1)?.resolve([lagOf(records)]);
    await reader.read();
  };
  return { reader, clock, calls, answer };
}

test("all who read at the same time share one call, those who come later get a new one", async () => {
  const { reader, calls, answer } = openReader();
  const reading = Promise.all([reader.read(), reader.read()]);
  await answer(3);
  const state = { partitions: [lagOf(3)], problem: undefined };
  expect(await reading).toEqual([state, state]);
  expect(calls).toHaveLength(1);
  void reader.read();
  expect(calls).toHaveLength(2);
});

test("what is known comes at once, and is read again once it is 2 s old", async () => {
  const { reader, clock, calls, answer } = openReader();
  expect(reader.known().partitions).toEqual([]);
  await answer(3);
  expect(reader.known().partitions).toEqual([lagOf(3)]);
  expect(calls).toHaveLength(1);
  await clock.advance(2_000);
  expect(reader.known().partitions).toEqual([lagOf(3)]);
  expect(calls).toHaveLength(2);
  await answer(4);
  expect(reader.known().partitions).toEqual([lagOf(4)]);
});

test("the state waits only while nothing is known", async () => {
  const { reader, clock, calls, answer } = openReader();
  const first = reader.state();
  await answer(3);
  expect((await first).partitions).toEqual([lagOf(3)]);
  await clock.advance(60_000);
  expect((await reader.state()).partitions).toEqual([lagOf(3)]);
  expect(calls).toHaveLength(2); // on its way
});

test("a log that is unavailable leaves what was known, with the reason", async () => {
  const { reader, calls, answer } = openReader();
  void reader.read();
  await answer(3);
  const reading = reader.read();
  calls.at(-1)?.reject(new InstantError(eventLogErrors.logUnavailable, { detail: "silent" }));
  const problem = `${eventLogErrors.logUnavailable.meaning}: silent`;
  expect(await reading).toEqual({ partitions: [lagOf(3)], problem });
});
