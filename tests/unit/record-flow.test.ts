import { expect, test } from "bun:test";
import type { LogRecord } from "../../src/email/event-log/event-log.ts";
import type { RecordFlowOptions } from "../../src/email/event-log/flow/record-flow.ts";
import { RecordFlow } from "../../src/email/event-log/flow/record-flow.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { bareRecord, FlowWorld } from "../support/flow-world.ts";
import type { HandleRecord } from "../support/handle-each.ts";
import { handleEach } from "../support/handle-each.ts";
import { SeededRandom } from "../support/seeded-random.ts";

type Handle = HandleRecord;

function record(offset: number, key: string | null = null): LogRecord {
  return bareRecord({ offset, key: key === null ? null : Buffer.from(key) });
}

function openFlow(handle: Handle, options: Partial<Omit<RecordFlowOptions, "handle">> = {}) {
  const flow = new RecordFlow({
    handle: handleEach(handle),
    onAdvance: () => {},
    onCapacity: () => {},
    ...options,
  });
  flow.assign([0]);
  return flow;
}

/** Handlers that end when told: `finish(offset)`. */
function openGate() {
  const started: number[] = [];
  const gates = new Map<number, PromiseWithResolvers<void>>();
  const handle: Handle = ({ offset }) => {
    const gate = Promise.withResolvers<void>();
    started.push(offset);
    gates.set(offset, gate);
    return gate.promise;
  };
  const finish = async (offset: number) => {
    await turn();
    gates.get(offset)?.resolve();
    await turn();
  };
  return { started, handle, finish };
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

test("random interleavings of fetch, finish, commit, rebalance and pause lose nothing", async () => {
  for (let seed = 1; seed <= 250; seed += 1) {
    const random = new SeededRandom(seed);
    const bounds = {
      unfinishedMax: 1 + random.below(12),
      offsetsBeyondLowWatermarkMax: 1 + random.below(40),
    };
    const world = new FlowWorld(random, bounds);
    try {
      for (let step = 0; step < 150; step += 1) await world.step();
      await world.finish();
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error });
    }
  }
});

test("a copy of a record that still runs joins the run and is finished with it", async () => {
  const { started, handle, finish } = openGate();
  const flow = openFlow(handle);
  flow.offer(record(5, "a"));
  flow.revoke([0]);
  expect(flow.uncommitted()).toEqual([]);
  flow.assign([0]);
  flow.offer(record(5, "a"));
  flow.offer(record(6, "a"));
  await turn();
  expect(started).toEqual([5]);
  expect(flow.stats.unfinished).toBe(2);
  await finish(5);
  expect(started).toEqual([5, 6]);
  expect(flow.uncommitted()).toEqual([{ partition: 0, offset: 6 }]);
});

test("the position behind markers is committable once all before it is finished", async () => {
  const { handle, finish } = openGate();
  let advances = 0;
  const flow = openFlow(handle, {
    onAdvance: () => {
      advances += 1;
    },
  });
  flow.begin(0, 3);
  flow.advance(0, 5); // nothing but markers and aborted records so far
  expect(flow.uncommitted()).toEqual([{ partition: 0, offset: 5 }]);
  expect(advances).toBe(1);
  flow.offer(record(7));
  flow.advance(0, 9);
  expect(flow.uncommitted()).toEqual([{ partition: 0, offset: 7 }]);
  await finish(7);
  expect(flow.uncommitted()).toEqual([{ partition: 0, offset: 9 }]);
  flow.advance(0, 8); // never back
  flow.advance(1, 8); // not ours
  expect(flow.uncommitted()).toEqual([{ partition: 0, offset: 9 }]);
  expect(flow.offer(record(8))).toBe(true); // read before
  expect(flow.stats.unfinished).toBe(0);
});

test("what waits for a revoked partition is dropped, what runs goes on", async () => {
  const { started, handle, finish } = openGate();
  const flow = openFlow(handle);
  flow.offer(record(1, "a"));
  flow.offer(record(2, "a"));
  flow.revoke([0]);
  await finish(1);
  expect(started).toEqual([1]);
  expect(flow.stats.unfinished).toBe(0);
  expect(flow.partitions).toEqual([]);
});

test("fetching stops at a bound and goes on when half of it is free", async () => {
  const { handle, finish } = openGate();
  const freed: number[] = [];
  const flow = openFlow(handle, {
    unfinishedMax: 4,
    onCapacity: (partition) => freed.push(partition),
  });
  for (let offset = 0; offset < 4; offset += 1) expect(flow.offer(record(offset))).toBe(true);
  expect(flow.isFetchable(0)).toBe(true);
  expect(flow.offer(record(4))).toBe(false);
  expect(flow.isFetchable(0)).toBe(false);
  await finish(0);
  expect(freed).toEqual([]);
  await finish(3);
  expect(freed).toEqual([0]);
  expect(flow.isFetchable(0)).toBe(true);
});

test("an unfinished record lets its partition run only so far ahead", async () => {
  const { handle, finish } = openGate();
  const freed: number[] = [];
  const flow = openFlow(handle, {
    offsetsBeyondLowWatermarkMax: 10,
    onCapacity: (partition) => freed.push(partition),
  });
  flow.offer(record(0));
  flow.offer(record(9));
  await finish(9);
  expect(flow.offer(record(10))).toBe(false);
  await finish(0);
  expect(freed).toEqual([0]);
  expect(flow.offer(record(500))).toBe(true);
});

test("a handler's rejection fails the flow and its record stays uncommitted", async () => {
  const flow = openFlow(async ({ offset }) => {
    if (offset === 1) throw new Error("a bug");
  });
  for (let offset = 0; offset < 3; offset += 1) flow.offer(record(offset));
  expect(flow.failed).rejects.toThrow("a bug");
  await turn();
  expect(flow.uncommitted()).toEqual([{ partition: 0, offset: 1 }]);
  expect(flow.offer(record(3))).toBe(false);
});

test("a drain waits, then aborts; what was left by the abort stays uncommitted", async () => {
  const clock = new FakeClock();
  const gate = openGate();
  const flow = openFlow(
    (item, signal, draining, defer) =>
      item.offset === 2
        ? new Promise((_, reject) => {
            signal.addEventListener("abort", () => reject(signal.reason));
          })
        : gate.handle(item, signal, draining, defer),
    { clock },
  );
  for (let offset = 0; offset < 3; offset += 1) flow.offer(record(offset));
  const drained = flow.drain(1_000);
  await gate.finish(1);
  await clock.advance(999);
  await gate.finish(0);
  expect(flow.stats.inFlight).toBe(1);
  await clock.advance(1);
  expect(await drained).toBe(0);
  expect(flow.uncommitted()).toEqual([{ partition: 0, offset: 2 }]);
  expect(await Promise.race([flow.failed.catch(() => "failed"), "alive"])).toBe("alive");
});

test("a drain tells those that only wait to leave at once", async () => {
  const flow = openFlow(
    (_, _signal, draining) =>
      new Promise((_resolve, reject) => {
        draining.addEventListener("abort", () => reject(draining.reason));
      }),
    { clock: new FakeClock() },
  );
  flow.offer(record(0));
  await turn();
  expect(await flow.drain(60_000)).toBe(0);
  expect(flow.uncommitted()).toEqual([]);
  expect(await Promise.race([flow.failed.catch(() => "failed"), "alive"])).toBe("alive");
});

test("a drain gives up handlers that do not heed the abort after 5 s", async () => {
  const clock = new FakeClock();
  const flow = openFlow(() => new Promise(() => {}), { clock });
  flow.offer(record(0));
  const drained = flow.drain(1_000);
  await clock.advance(6_000);
  expect(await drained).toBe(1);
});

test("keys that differ in one byte have different lanes, also when they are not text", async () => {
  const { started, handle } = openGate();
  const flow = openFlow(handle);
  flow.offer({ ...record(0), key: new Uint8Array([0xff, 0x00]) });
  flow.offer({ ...record(1), key: new Uint8Array([0xfe, 0x00]) });
  flow.offer({ ...record(2), key: new Uint8Array([0xff, 0x00]) });
  flow.offer({ ...record(3), key: new Uint8Array() });
  await turn();
  expect(started).toEqual([0, 1, 3]);
});

test("a record is refused while those in flight hold too many bytes", async () => {
  const { started, handle, finish } = openGate();
  const freed: number[] = [];
  const flow = openFlow(handle, { unfinishedBytesMax: 100, onCapacity: (at) => freed.push(at) });
  const large = (offset: number) => ({ ...record(offset), value: Buffer.alloc(60) });
  expect([0, 1, 2].map((offset) => flow.offer(large(offset)))).toEqual([true, true, false]);
  await finish(1);
  expect(freed).toEqual([]);
  await finish(0);
  expect(freed).toEqual([0]);
  expect(flow.offer(large(2))).toBe(true);
  await turn();
  expect(started).toEqual([0, 1, 2]);
  flow.revoke([0]);
});

test("records that only wait keep no place of others, and have a bound of their own", async () => {
  const { handle, started } = openGate();
  const waiting = Promise.withResolvers<void>();
  const flow = openFlow(
    (item, signal, draining, defer) =>
      String(item.key).startsWith("slow")
        ? defer(() => waiting.promise)
        : handle(item, signal, draining, defer),
    { unfinishedMax: 4, deferredMax: 30, deferredBytesMax: 1_000 },
  );
  for (let offset = 0; offset < 20; offset += 1) {
    expect(flow.offer(record(offset, `slow${offset % 10}`))).toBe(true); // two in each lane
    await turn();
  }
  expect([flow.stats.unfinished, flow.stats.deferred]).toEqual([20, 20]);
  expect(flow.offer(record(20, "quick"))).toBe(true);
  await turn();
  expect(started).toEqual([20]);
  const large = { ...record(21, "slow-large"), value: new Uint8Array(1_000) };
  expect(flow.offer(large)).toBe(true);
  await turn();
  expect(flow.offer(record(22, "quick"))).toBe(false); // the bytes
  flow.revoke([0]);
  expect(flow.stats.deferred).toBe(11); // what waited behind was dropped
  waiting.resolve();
  await turn();
  expect(flow.stats.deferred).toBe(0);
});

test("what is dropped behind a deferred record is subtracted from the bytes once", async () => {
  const { handle } = openGate();
  const flow = openFlow(
    (item, signal, draining, defer) =>
      String(item.key) === "slow"
        ? defer(() => new Promise(() => {}))
        : handle(item, signal, draining, defer),
    { unfinishedBytesMax: 100 },
  );
  const large = (offset: number, key: string) => ({
    ...record(offset, key),
    value: Buffer.alloc(60),
  });
  flow.offer(large(0, "slow"));
  flow.offer(large(1, "slow"));
  await turn();
  flow.assign([0]); // drops what waits
  const taken = [2, 3, 4].map((offset) => flow.offer(large(offset, `quick${offset}`)));
  expect(taken).toEqual([true, true, false]);
});

test("one that waits for hours holds back the commit, not those after it", async () => {
  const flow = openFlow(({ offset }, _signal, _draining, defer) =>
    offset === 0 ? defer(() => new Promise(() => {})) : Promise.resolve(),
  );
  for (let offset = 0; offset < 100_000; offset += 1) {
    expect(flow.offer(record(offset))).toBe(true);
    if (offset % 500 === 0) await turn();
  }
  await turn();
  expect(flow.uncommitted()).toEqual([]);
  expect(flow.stats.unfinished).toBe(1);
});
