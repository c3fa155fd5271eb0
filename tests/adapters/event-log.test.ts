import { Database } from "bun:sqlite";
import { afterAll } from "bun:test";
import { join } from "node:path";
import { findEngine } from "../../support/engines.ts";
import { nobodysBroker, openKafkaLogAt, truncateKafkaTopic } from "../../support/kafka-logs.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { testEventLog } from "../contract/event-log.ts";
import { openEmbeddedEventLog } from "../support/event-logs.ts";

const directory = temporaryDirectory();
const path = join(directory.path, "events.sqlite");
afterAll(() => directory[Symbol.dispose]());

testEventLog("SQLite", {
  open: () => openEmbeddedEventLog(path),
  childAddress: `sqlite:${path}`,
  openUnavailable: async () => {
    const lockedPath = join(directory.path, `${crypto.randomUUID()}.sqlite`);
    const log = await openEmbeddedEventLog(lockedPath);
    const other = new Database(lockedPath);
    other.run("BEGIN IMMEDIATE");
    const close = async () => {
      other.close();
      await log.close();
    };
    return { ...log, close, [Symbol.asyncDispose]: close };
  },
  truncate: async (topic, offset) => {
    using database = new Database(path);
    const ofTopic = "topic_id = (SELECT id FROM log_topics WHERE topic = ?) AND partition = 0";
    database.run(`DELETE FROM log_records WHERE ${ofTopic} AND offset < ?`, [topic, offset]);
    database.run(`UPDATE log_partitions SET earliest = ? WHERE ${ofTopic}`, [offset, topic]);
  },
  features: { rebalanceMsMax: 2_000, takeOverMsMax: 10_000 },
});

const brokers = findEngine("kafka");

if (brokers !== undefined) {
  testEventLog("Kafka", {
    open: () => openKafkaLogAt(brokers),
    childAddress: `kafka:${brokers}`,
    openUnavailable: () => openKafkaLogAt(nobodysBroker),
    truncate: (topic, offset) => truncateKafkaTopic(brokers, topic, offset),
    features: { rebalanceMsMax: 10_000, takeOverMsMax: 25_000 },
  });
}
