import type { Clock } from "../../core/clock.ts";
import { systemClock } from "../../core/clock.ts";
import { isInstantError } from "../../core/errors.ts";
import { kafkaErrors } from "../../core/kafka/error-codes.ts";
import type { KafkaTopicState, TopicAdmin } from "../../core/kafka/topic-admin.ts";
import type { TopicReport, TopicSpec } from "./event-log.ts";
import { describeDifferences } from "./topic-differences.ts";

/** A broker may answer of a topic from the state before the change it has just acknowledged. */
const visibleTriesMax = 50;
const visibleEveryMs = 100;

/** Creates one topic, or says how the one that is there differs; grows it when asked. */
export async function createKafkaTopic(
  admin: TopicAdmin,
  spec: TopicSpec,
  grow: boolean,
): Promise<TopicReport> {
  const { topic, partitions } = spec;
  if (await admin.create(spec)) {
    await describeVisible(admin, topic, partitions);
    return { topic, outcome: "created", partitions, differences: [] };
  }
  const state = await describeVisible(admin, topic, 1);
  if (!grow || state.partitions >= partitions) {
    const differences = describeDifferences(spec, state);
    return { topic, outcome: "exists", partitions: state.partitions, differences };
  }
  await admin.grow(topic, partitions);
  const grown = await describeVisible(admin, topic, partitions);
  const differences = describeDifferences(spec, grown);
  return { topic, outcome: "grown", partitions: grown.partitions, differences };
}

/** Waits up to 5 s until the topic is seen with so many partitions; then says what it sees. */
async function describeVisible(
  admin: TopicAdmin,
  topic: string,
  partitionsMin: number,
  clock: Clock = systemClock,
): Promise<KafkaTopicState> {
  for (let tries = 1; ; tries += 1) {
    try {
      const state = await admin.describe(topic);
      if (state.partitions >= partitionsMin || tries >= visibleTriesMax) return state;
    } catch (error) {
      if (!isInstantError(error, kafkaErrors.topicMissing) || tries >= visibleTriesMax) throw error;
    }
    await clock.sleep(visibleEveryMs);
  }
}
