import { formatGoDuration } from "../../core/time.ts";
import type { TopicSpec } from "./event-log.ts";

/** An existing topic; what the log does not report is undefined. A retention below 0: for ever. */
export interface TopicState {
  readonly partitions: number;
  readonly replicationFactor: number | undefined;
  readonly retentionMs: number | undefined;
  readonly recordBytesMax: number | undefined;
}

/** How a topic differs from the spec, as text that follows its name. */
export function describeDifferences(spec: TopicSpec, state: TopicState): readonly string[] {
  const { partitions, replicationFactor, retentionMs, recordBytesMax } = state;
  const differences: string[] = [];
  if (partitions !== spec.partitions) {
    differences.push(`has ${partitions} partitions instead of ${spec.partitions}`);
  }
  if (replicationFactor !== undefined && replicationFactor !== spec.replicationFactor) {
    differences.push(
      `has replication factor ${replicationFactor} instead of ${spec.replicationFactor}`,
    );
  }
  if (retentionMs !== undefined && retentionMs !== spec.retentionMs) {
    const kept = retentionMs < 0 ? "for ever" : formatGoDuration(retentionMs);
    differences.push(`keeps records ${kept} instead of ${formatGoDuration(spec.retentionMs)}`);
  }
  if (recordBytesMax !== undefined && recordBytesMax !== spec.recordBytesMax) {
    differences.push(
      `takes records up to ${recordBytesMax} bytes instead of ${spec.recordBytesMax}`,
    );
  }
  return differences;
}
