import { expect, test } from "bun:test";
import { createRequire } from "node:module";
import { eventually } from "../../support/eventually.ts";

/**
 * patches/kafkajs@2.2.4.patch, piece by piece: an install that does not apply it, or a newer
 * kafkajs, must not pass unnoticed. Looks inside kafkajs, as the pieces cannot be seen from outside.
 */
const inside = createRequire(import.meta.resolve("kafkajs/package.json"));

test("an idle connection has no timer", () => {
  const RequestQueue = inside("./src/network/requestQueue/index.js");
  const log = { debug: () => {} };
  const queue = new RequestQueue({ maxInFlightRequests: null, requestTimeout: 1_000, logger: log });
  queue.checkPendingRequests();
  expect(queue.throttleCheckTimeoutId).toBeNull();
  queue.throttledUntil = Date.now() + 60_000;
  queue.pending.push({});
  queue.checkPendingRequests();
  expect(queue.throttleCheckTimeoutId).not.toBeNull();
  queue.destroy();
});

/** A queue that sends into nothing; `push` returns what becomes of the request. */
function openQueue(requestTimeout: number) {
  const RequestQueue = inside("./src/network/requestQueue/index.js");
  const log = { debug: () => {}, warn: () => {} };
  const options = { maxInFlightRequests: null, requestTimeout, enforceRequestTimeout: true };
  const queue = new RequestQueue({ ...options, logger: log });
  queue.scheduleRequestTimeoutCheck();
  const push = (correlationId: number, ownTimeout?: number) => {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const entry = { correlationId, apiName: "Any", apiKey: 0, apiVersion: 0, resolve, reject };
    const request = { entry, expectResponse: true, sendRequest: () => {} };
    queue.push({ ...request, requestTimeout: ownTimeout });
    return promise;
  };
  return { queue, push };
}

test("a connection has a timer for what is in flight, and none once nothing is", async () => {
  const { queue, push } = openQueue(20);
  expect(queue.requestTimeoutId ?? null).toBeNull();
  const answered = push(1);
  queue.fulfillRequest({ correlationId: 1, payload: "", size: 0 });
  await answered;
  await expect(push(2)).rejects.toThrow("timed out");
  expect(queue.requestTimeoutId).toBeNull();
  const lost = push(4);
  expect(queue.requestTimeoutId).not.toBeNull();
  queue.rejectAll(new Error("lost"));
  await expect(lost).rejects.toThrow("lost");
  expect(queue.requestTimeoutId).toBeNull();
});

test("a request that may take longer does not hold up the time of those after it", async () => {
  const { queue, push } = openQueue(20);
  const patient = push(1, 60_000);
  await expect(push(2)).rejects.toThrow("timed out");
  await expect(push(3)).rejects.toThrow("timed out");
  expect(queue.inflight.size).toBe(1);
  expect(queue.requestTimeoutId).not.toBeNull();
  queue.rejectAll(new Error("closed"));
  await expect(patient).rejects.toThrow("closed");
});

test("requests that find no connection wait for one and the same", async () => {
  const ConnectionPool = inside("./src/network/connectionPool.js");
  const opening = Promise.withResolvers<void>();
  let opened = 0;
  const connection = {
    isConnected: () => false,
    connect: () => {
      opened += 1;
      return opening.promise;
    },
  };
  const get = () => ConnectionPool.prototype.getConnection.call({ pool: [connection] }, 0);
  const both = Promise.all([get(), get()]);
  opening.resolve();
  expect(await both).toEqual([connection, connection]);
  expect(opened).toBe(1);
  await get();
  expect(opened).toBe(2);
});

test("a connection that ends before it is made rejects", async () => {
  const Connection = inside("./src/network/connection.js");
  const { EventEmitter } = await import("node:events");
  const nothing = () => {};
  const levels = { debug: nothing, error: nothing, warn: nothing };
  const socket = Object.assign(new EventEmitter(), { end: nothing, unref: nothing });
  const connection = new Connection({
    host: "127.0.0.1",
    port: 1,
    logger: { ...levels, namespace: () => levels },
    socketFactory: () => socket,
    requestTimeout: 1_000,
    connectionTimeout: 60_000,
  });
  const connecting = connection.connect();
  socket.emit("end");
  await expect(connecting).rejects.toThrow("closed");
});

test("an answer that no broker writes ends its connection, and the next one begins anew", async () => {
  const Connection = inside("./src/network/connection.js");
  const sockets: Bun.Socket<undefined>[] = [];
  using server = Bun.listen({
    ...{ hostname: "127.0.0.1", port: 0 },
    socket: { open: (socket) => void sockets.push(socket), data: () => {} },
  });
  const log = { debug: () => {}, error: () => {} };
  const options = { host: "127.0.0.1", port: server.port, connectionTimeout: 5_000 };
  const socketFactory = inside("./src/network/socketFactory.js")();
  const connection = new Connection({
    ...options,
    ...{ socketFactory, logger: { namespace: () => log }, emitter: undefined },
  });
  const lost: Promise<unknown> = (async () => {
    await connection.connect();
    const { promise, reject } = Promise.withResolvers<unknown>();
    connection.requestQueue.inflight.set(1, { rejected: reject, requestTimeout: 60_000 });
    await eventually("the server has it", () => sockets.length === 1);
    sockets[0]?.write(new Uint8Array([0, 0, 0, 1, 0])); // no room for the number of its request
    return await promise;
  })();
  await expect(lost).rejects.toThrow("Connection error");
  expect(connection.isConnected()).toBe(false);
  connection.chunks = [Buffer.from("left over")];
  connection.bytesBuffered = 9;
  await connection.connect();
  expect(connection.bytesBuffered).toBe(0);
  await connection.disconnect();
});

test("an offset out of range is thrown, not set to the default", async () => {
  const ConsumerGroup = inside("./src/consumer/consumerGroup.js");
  const error = Object.assign(new Error("out of range"), { topic: "topic", partition: 0 });
  const group = { preferredReadReplicasPerTopicPartition: {} };
  const recover = ConsumerGroup.prototype.recoverFromOffsetOutOfRange.call(group, error);
  await expect(recover).rejects.toBe(error);
});

test("a batch that was fetched under an earlier assignment is dropped", async () => {
  const Runner = inside("./src/consumer/runner.js");
  const taken: string[] = [];
  const runner = {
    running: true,
    logger: { debug: () => {} },
    instrumentationEmitter: { emit: () => {} },
    consumerGroup: { offsetManager: "new" },
    eachBatch: true,
    processEachBatch: async (batch: { offsetManager: string }) => taken.push(batch.offsetManager),
    autoCommitOffsets: () => {},
    heartbeat: () => {},
  };
  for (const offsetManager of ["old", "new"]) {
    const batch = {
      offsetManager,
      messages: [],
      offsetLag: () => "0",
      offsetLagLow: () => "0",
      firstOffset: () => "0",
      lastOffset: () => "0",
      isEmpty: () => false,
      isEmptyDueToFiltering: () => false,
    };
    await Runner.prototype.handleBatch.call(runner, batch);
  }
  expect(taken).toEqual(["new"]);
});

test("a cluster can be had without a consumer", () => {
  const { Kafka, Batch } = inside("./index.js");
  const cluster = new Kafka({ brokers: ["127.0.0.1:1"] }).cluster();
  expect(typeof cluster.findLeaderForPartitions).toBe("function");
  expect(typeof Batch).toBe("function");
});

test("batches are read and written by others where there are any", async () => {
  const { recordBatches } = inside("./index.js");
  const Decoder = inside("./src/protocol/decoder.js");
  const decodeMessages = inside("./src/protocol/requests/fetch/v4/decodeMessages.js");
  const produceRequest = inside("./src/protocol/requests/produce/v3/request.js");
  const usual = { ...recordBatches };
  const request = (value: string) => {
    const messages = [{ value, key: null }];
    const partitions = [{ partition: 5, messages, firstSequence: 0 }];
    return produceRequest({ acks: -1, timeout: 1, topicData: [{ topic: "t", partitions }] });
  };
  try {
    const answer = new Decoder(Buffer.concat([Buffer.from([0, 0, 0, 17]), Buffer.alloc(17, 2)]));
    recordBatches.read = async (bytes: Buffer, of: unknown) => [bytes.length, of];
    expect(await decodeMessages(answer)).toEqual([17, answer]);
    recordBatches.write = ({ messages }: { messages: readonly { value: string }[] }) =>
      messages[0]?.value === "ours" ? Buffer.from("written") : undefined;
    const ours: Buffer = (await request("ours").encode()).buffer;
    expect(ours.subarray(-15)).toEqual(Buffer.from("\0\0\0\u0005\0\0\0\u0007written"));
    const theirs: Buffer = (await request("theirs").encode()).buffer;
    expect(theirs.includes("theirs")).toBe(true);
  } finally {
    Object.assign(recordBatches, usual);
  }
});

test("messages are grouped by partition in their order", () => {
  const group = inside("./src/producer/groupMessagesPerPartition.js");
  const partitionMetadata = [{ partitionId: 0 }, { partitionId: 1 }];
  const messages = [3, 4, 5, 6, 7];
  const partitioner = ({ message }: { message: number }) => message % 2;
  const grouped = group({ topic: "topic", partitionMetadata, messages, partitioner });
  expect(grouped).toEqual({ 0: [4, 6], 1: [3, 5, 7] });
});

test("a batch begins at the offset that was fetched, whatever the answer begins with", () => {
  const { Batch } = inside("./index.js");
  const offsetsFrom = (fetched: string) => {
    const messages = [5, 6, 9].map((offset) => ({ offset }));
    const batch = new Batch("topic", fetched, { partition: 0, highWatermark: "10", messages });
    return batch.messages.map(({ offset }: { offset: number }) => offset);
  };
  expect(offsetsFrom("5")).toEqual([5, 6, 9]);
  expect(offsetsFrom("4")).toEqual([5, 6, 9]);
  expect(offsetsFrom("7")).toEqual([9]);
  expect(offsetsFrom("10")).toEqual([]);
});

test("an encoder does not clear its bytes, and gives those that were written", () => {
  const Encoder = inside("./src/protocol/encoder.js");
  expect(String(Encoder)).not.toContain("Buffer.alloc(");
  const value = Buffer.alloc(5_000, 1);
  const { buffer } = new Encoder().writeBytes(value);
  expect(buffer).toEqual(Buffer.concat([Buffer.from([0, 0, 0x13, 0x88]), value]));
});
