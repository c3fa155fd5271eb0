import type { Clock } from "../../../core/time.ts";
import type { OpenTransaction, PartitionLag, PartitionOffsets } from "../event-log.ts";
import { Semaphore } from "../flow/semaphore.ts";
import type { GroupAdmin, TopicAdmin } from "./admin.ts";
import type { KafkaClient } from "./client.ts";
import { RangeReader } from "./range-reader.ts";

interface LagSources {
  readonly admin: TopicAdmin;
  readonly groups: GroupAdmin;
  readonly client: KafkaClient;
  readonly clock: Clock;
}

/** A fetch of a MiB may contain two batches that decompress to 16 MiB. */
const partitionsAtOnce = 4;

/**
 * A log may be full of aborted records: after 16 MiB without a record the rest counts as records.
 */
const fetchesMax = 16;

/**
 * The lag of `group`, found by reading the records: an offset may be a transaction marker, an
 * aborted record or a gap of compaction, which would prevent the lag from returning to 0. Reads up
 * to the first record (for the age) and to the end of that MiB, not further, because it is called
 * often.
 */
export async function readKafkaLag(
  { admin, groups, client, clock }: LagSources,
  topic: string,
  group: string,
): Promise<readonly PartitionLag[]> {
  const offsets = await admin.offsets(topic);
  const committed = await admin.committed(topic, group);
  const owners = await groups.owners(topic, group);
  // A partition that is read to its end is fetched as well: only a fetch shows open transactions.
  await using reader = await RangeReader.open(client, topic);
  const turns = new Semaphore(partitionsAtOnce);
  return await Promise.all(
    offsets.map(async (each) => {
      const { partition, earliest } = each;
      const from = committed.get(partition) ?? earliest;
      const unread = await turns.use(() => readUnread({ reader, clock, topic }, each, from));
      return { partition, owner: owners.get(partition), committed: from, ...unread };
    }),
  );
}

interface UnreadSources extends Pick<LagSources, "clock"> {
  readonly reader: RangeReader;
  readonly topic: string;
}

/** What can and what cannot be read of a partition from `from` on. */
async function readUnread(
  { reader, clock, topic }: UnreadSources,
  { partition, earliest }: PartitionOffsets,
  from: number,
): Promise<Pick<PartitionLag, "records" | "seconds" | "openTransaction">> {
  const range = { topic, partition, from: Math.max(from, earliest), to: Number.MAX_SAFE_INTEGER };
  const secondsSince = (timestamp: number | undefined) =>
    timestamp === undefined ? 0 : Math.max(0, clock.now() - timestamp) / 1_000;
  let records = 0;
  let fetches = 0;
  let oldest: number | undefined;
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
  const seconds = secondsSince(oldest);
  return { records, seconds, ...(openTransaction !== undefined && { openTransaction }) };
}
