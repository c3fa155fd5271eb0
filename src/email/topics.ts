import type { TopicSpec } from "./event-log/event-log.ts";

const dayMs = 24 * 60 * 60 * 1000;

/** Kafka's own default; it leaves room for an event of 256 KiB and for micro-batches. */
export const eventRecordBytesMax = 1_048_588;
/** A dead letter is its record plus headers that say why. */
export const deadLetterRecordBytesMax = eventRecordBytesMax + 64 * 1024;

export interface TopicSettings {
  readonly events: string;
  readonly deadLetters: string;
  readonly partitions: number;
  readonly replicationFactor: number;
}

/** The two topics: events for 7 days in several partitions, dead letters for 30 days in one. */
export function topicSpecs(settings: TopicSettings): readonly [TopicSpec, TopicSpec] {
  const { replicationFactor } = settings;
  return [
    {
      topic: settings.events,
      partitions: settings.partitions,
      replicationFactor,
      retentionMs: 7 * dayMs,
      recordBytesMax: eventRecordBytesMax,
    },
    {
      topic: settings.deadLetters,
      partitions: 1,
      replicationFactor,
      retentionMs: 30 * dayMs,
      recordBytesMax: deadLetterRecordBytesMax,
    },
  ];
}
