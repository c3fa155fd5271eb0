import { InstantError } from "../../core/errors.ts";
import { kafkaErrors } from "../../core/kafka/error-codes.ts";
import type { TopicAdmin } from "../../core/kafka/topic-admin.ts";

/** A group's offsets that are not on the log. */
interface OutOfRange {
  /** Each partition in words: where the group is, and where the log begins or ends. */
  readonly places: readonly string[];
  /** Kafka's own command that lets the group go on with the oldest record that is left. */
  readonly fix: string;
}

interface GroupPlace {
  readonly brokers: readonly string[];
  readonly topic: string;
  readonly group: string;
}

/**
 * Undefined while each committed offset is on the log.
 *
 * What retention removed cannot be asked for any more: whether an offset was a record or only the
 * marker of a transaction is nowhere but in the log. So an offset before the log's beginning is out
 * of range, also for a topic without a record. Our own commits do not get there by markers alone, as
 * they are behind all that was read. Those of an older release (the last record + 1) and of other
 * tools may; whether something was skipped is then for a person to judge.
 */
export async function findOutOfRange(
  admin: TopicAdmin,
  { brokers, topic, group }: GroupPlace,
): Promise<OutOfRange | undefined> {
  const [offsets, committed] = [await admin.offsets(topic), await admin.committed(topic, group)];
  const outside = offsets.flatMap(({ partition, earliest, next }) => {
    const at = committed.get(partition);
    if (at === undefined || (at >= earliest && at <= next)) return [];
    const log = at < earliest ? `begins at ${earliest}` : `ends at ${next}`;
    return [{ partition, place: `partition ${partition}: the group is at ${at}, the log ${log}` }];
  });
  if (outside.length === 0) return undefined;
  const partitions = outside.map(({ partition }) => partition).join(",");
  return {
    places: outside.map(({ place }) => place),
    fix: `kafka-consumer-groups.sh --bootstrap-server ${brokers[0]} --group ${group} --topic ${topic}:${partitions} --reset-offsets --to-earliest --execute`,
  };
}

/**
 * The same error; an offset out of range with what a person needs to decide: which partition, where
 * the group is, where the log begins or ends, and the command that goes on from there.
 */
export async function explainOutOfRange(
  admin: TopicAdmin,
  place: GroupPlace,
  error: unknown,
): Promise<unknown> {
  if (!(error instanceof InstantError) || error.row !== kafkaErrors.offsetOutOfRange) return error;
  try {
    const found = await findOutOfRange(admin, place);
    const { group, topic } = place;
    const reason =
      found === undefined
        ? error.detail
        : `${found.places.join("; ")}. What was removed in between may have been mails, or only the markers of transactions: Kafka cannot tell. To go on with the oldest record that is left, stop every serve-email, then: ${found.fix}`;
    const detail = `${group} on ${topic}, ${reason}`;
    return new InstantError(error.row, { detail, details: error.details, cause: error });
  } catch {
    return error; // Kafka does not say; the error stands without it
  }
}
