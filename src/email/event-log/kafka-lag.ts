import type { Clock } from "../../core/clock.ts";
import type { KafkaClient } from "../../core/kafka/client.ts";
import { RangeReader } from "../../core/kafka/range-reader.ts";
import type { TopicAdmin } from "../../core/kafka/topic-admin.ts";
import type { PartitionLag } from "./event-log.ts";

interface LagSources {
  readonly admin: TopicAdmin;
  readonly client: KafkaClient;
  readonly clock: Clock;
}

/** What `group` has still to read; for the age, the oldest such record of each partition is read. */
export async function readKafkaLag(
  sources: LagSources,
  topic: string,
  group: string,
): Promise<readonly PartitionLag[]> {
  const { admin, client, clock } = sources;
  const offsets = await admin.offsets(topic);
  const committed = await admin.committed(topic, group);
  await using reader = await RangeReader.open(client, topic);
  return await Promise.all(
    offsets.map(async ({ partition, earliest, next }): Promise<PartitionLag> => {
      const from = committed.get(partition) ?? earliest;
      const records = Math.max(0, next - Math.max(from, earliest));
      if (records === 0) return { partition, committed: from, records, seconds: 0 };
      const timestamp = await oldestTimestamp(reader, topic, partition, from);
      const ageMs = timestamp === undefined ? 0 : Math.max(0, clock.now() - timestamp);
      return { partition, committed: from, records, seconds: ageMs / 1_000 };
    }),
  );
}

async function oldestTimestamp(
  reader: RangeReader,
  topic: string,
  partition: number,
  from: number,
): Promise<number | undefined> {
  const range = { topic, partition, from, to: Number.MAX_SAFE_INTEGER };
  for await (const records of reader.read(range)) return records[0]?.timestamp;
  return undefined;
}
