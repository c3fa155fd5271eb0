import { formatGoDuration } from "../../core/go-duration.ts";
import type { KafkaTopicState, TopicAdmin } from "../../core/kafka/topic-admin.ts";
import type { TopicReport, TopicSpec } from "./event-log.ts";

/** Creates one topic, or says how the one that is there differs; grows it when asked. */
export async function createKafkaTopic(
  admin: TopicAdmin,
  spec: TopicSpec,
  grow: boolean,
): Promise<TopicReport> {
  const { topic } = spec;
  if (await admin.create(spec)) {
    return { topic, outcome: "created", partitions: spec.partitions, differences: [] };
  }
  const state = await admin.describe(topic);
  if (!grow || state.partitions >= spec.partitions) {
    const differences = describeDifferences(spec, state);
    return { topic, outcome: "exists", partitions: state.partitions, differences };
  }
  await admin.grow(topic, spec.partitions);
  const grown = { ...state, partitions: spec.partitions };
  const differences = describeDifferences(spec, grown);
  return { topic, outcome: "grown", partitions: spec.partitions, differences };
}

function describeDifferences(spec: TopicSpec, state: KafkaTopicState): readonly string[] {
  const differences: string[] = [];
  if (state.partitions !== spec.partitions) {
    differences.push(`has ${state.partitions} partitions instead of ${spec.partitions}`);
  }
  if (state.replicationFactor !== spec.replicationFactor) {
    differences.push(
      `has replication factor ${state.replicationFactor} instead of ${spec.replicationFactor}`,
    );
  }
  if (state.retentionMs !== undefined && state.retentionMs !== spec.retentionMs) {
    const kept = state.retentionMs < 0 ? "for ever" : formatGoDuration(state.retentionMs);
    differences.push(`keeps records ${kept} instead of ${formatGoDuration(spec.retentionMs)}`);
  }
  if (state.recordBytesMax !== undefined && state.recordBytesMax !== spec.recordBytesMax) {
    differences.push(
      `takes records up to ${state.recordBytesMax} bytes instead of ${spec.recordBytesMax}`,
    );
  }
  return differences;
}
