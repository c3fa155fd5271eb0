import { expect, test } from "bun:test";
import { silentLog } from "../../src/core/log.ts";
import { createKafkaClient } from "../../src/email/event-log/kafka/client.ts";
import { findEngine } from "../../support/engines.ts";
import { eventually } from "../../support/eventually.ts";
import { kafkaConnectionTo, openKafkaLogAt, truncateKafkaTopic } from "../../support/kafka-logs.ts";
import { newName, topicSpec } from "../contract/event-log-harness.ts";
import { EventLogReader, numbered, publishTexts } from "../support/event-logs.ts";

/** What the contract does not ask of every log: Kafka's groups, seen from Kafka. */
const brokers = findEngine("kafka") ?? "";
const hasKafka = brokers !== "";

async function memberCount(group: string): Promise<number> {
  const connection = kafkaConnectionTo(brokers);
  const admin = createKafkaClient({ connection, log: silentLog, patience: "quick" }).admin();
  try {
    await admin.connect();
    const { groups } = await admin.describeGroups([group]);
    return groups[0]?.members.length ?? 0;
  } finally {
    await admin.disconnect();
  }
}

test.skipIf(!hasKafka)("a member that is stopped while it joins does not stay", async () => {
  await using log = await openKafkaLogAt(brokers);
  const spec = topicSpec(newName("topic"));
  const group = newName("group");
  await log.createTopics([spec], { grow: false });
  for (let delayMs = 0; delayMs <= 60; delayMs += 3) {
    const reader = await EventLogReader.open(log, { topic: spec.topic, group });
    await Bun.sleep(delayMs); // so that the stop meets each step of a join
    await reader.stop();
    await eventually("nobody is in the group", async () => (await memberCount(group)) === 0, 2_000);
  }
});

test.skipIf(!hasKafka)(
  "a group that lost its place says where it is and what is left",
  async () => {
    await using log = await openKafkaLogAt(brokers);
    const spec = topicSpec(newName("topic"));
    const group = newName("group");
    await log.createTopics([spec], { grow: false });
    await publishTexts(log, spec.topic, numbered("text", 3), "key");
    const reader = await EventLogReader.open(log, { topic: spec.topic, group });
    await reader.untilFinished(3);
    await reader.stop();
    await publishTexts(log, spec.topic, numbered("later", 5), "key");
    await truncateKafkaTopic(brokers, spec.topic, 6);
    const { failed } = (await EventLogReader.open(log, { topic: spec.topic, group })).subscription;
    await expect(failed).rejects.toMatchObject({
      code: "offset_out_of_range",
      detail: expect.stringContaining(
        `${group} on ${spec.topic}, partition 0: the group is at 3, the log begins at 6. `,
      ),
      details: { partition: 0 },
    });
    expect(await log.lag(spec.topic, group)).toMatchObject([{ committed: 3, records: 2 }]);
  },
);

test.skipIf(!hasKafka)("reading a range leaves no group behind", async () => {
  await using log = await openKafkaLogAt(brokers);
  const spec = topicSpec(newName("topic"));
  await log.createTopics([spec], { grow: false });
  await publishTexts(log, spec.topic, ["a"]);
  const connection = kafkaConnectionTo(brokers);
  const admin = createKafkaClient({ connection, log: silentLog, patience: "quick" }).admin();
  await admin.connect();
  const groups = async () => (await admin.listGroups()).groups.map(({ groupId }) => groupId);
  const before = new Set(await groups());
  for await (const record of log.readRange({ topic: spec.topic, partition: 0, from: 0, to: 9 })) {
    expect(record.offset).toBe(0);
  }
  expect((await groups()).filter((group) => !before.has(group))).toEqual([]);
  await admin.disconnect();
});
