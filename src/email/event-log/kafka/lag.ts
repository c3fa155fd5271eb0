import type { Clock } from "../../../core/time.ts";
import type { OpenTransaction, PartitionLag } from "../event-log.ts";
import { Semaphore } from "../flow/semaphore.ts";
import type { KafkaPartitionOffsets, TopicAdmin } from "./admin.ts";
import type { KafkaClient } from "./client.ts";
import { RangeReader } from "./range-reader.ts";

interface LagSources {
  readonly admin: TopicAdmin;
  readonly client: KafkaClient;
  readonly clock: Clock;
}

/** A fetch of a MiB may hold two batches that decompress to 16 MiB. */
const partitionsAtOnce = 4;

/** Aborted records may fill a log; after 16 MiB without a record what follows is taken for some. */
const fetchesMax = 16;

/**
 * What `group` has still to read, by reading it: an offset may be a marker of a transaction, an
 * aborted record or a gap of compaction, which is no lag and would keep it from returning to 0. Reads
 * up to the first record (for the age) and to the end of that MiB, no further: it is asked often.
 */
export async function readKafkaLag(
  sources: LagSources,
  topic: string,
  group: string,
): Promise<readonly PartitionLag[]> {
  const { admin, client, clock } = sources;
  const offsets = await admin.offsets(topic);
  const committed = await admin.committed(topic, group);
  // Also a partition that is read to its end is fetched from: only a fetch tells of a transaction.
  await using reader = await RangeReader.open(client, topic);
  const turns = new Semaphore(partitionsAtOnce);
  return await Promise.all(
    offsets.map((each) => {
      const from = committed.get(each.partition) ?? each.earliest;
      return turns.use(() => readLag({ reader, clock, topic }, { ...each, from }));
    }),
  );
}

/** A partition, and the offset that the group reads next. */
interface Place extends KafkaPartitionOffsets {
  readonly from: number;
}

interface LagReader extends Pick<LagSources, "clock"> {
  readonly reader: RangeReader;
  readonly topic: string;
}

async function readLag(
  { reader, clock, topic }: LagReader,
  { partition, from, earliest }: Place,
): Promise<PartitionLag> {
  const range = { topic, partition, from: Math.max(from, earliest), to: Number.MAX_SAFE_INTEGER };
  const secondsSince = (timestamp: number | undefined) =>
    timestamp === undefined ? 0 : Math.max(0, clock.now() - timestamp) / 1_000;
  let [records, fetches, oldest]: [number, number, number?] = [0, 0];
  let openTransaction: OpenTransaction | undefined;
  for await (const fetch of reader.fetches(range)) {
    const { next, stableEnd, end } = fetch;
    fetches += 1;
    records = fetch.records.length;
    oldest = fetch.records[0]?.timestamp;
    if (end > stableEnd) {
      const seconds = secondsSince(await reader.timestampAt(topic, partition, stableEnd));
      openTransaction = { offset: stableEnd, records: end - stableEnd, seconds };
    }
    if (records === 0 && fetches < fetchesMax) continue;
    records += Math.max(0, stableEnd - next);
    break;
  }
  return {
    partition,
    committed: from,
    records,
    seconds: secondsSince(oldest),
    ...(openTransaction !== undefined && { openTransaction }),
  };
}
