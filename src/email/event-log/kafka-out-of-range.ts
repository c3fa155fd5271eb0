import { InstantError } from "../../core/errors.ts";
import { kafkaErrors } from "../../core/kafka/error-codes.ts";
import type { TopicAdmin } from "../../core/kafka/topic-admin.ts";

/**
 * The same error; an offset out of range with what a person needs to decide: which partition, where
 * the group is, and where the log begins or ends.
 */
export async function explainOutOfRange(
  admin: TopicAdmin,
  topic: string,
  group: string,
  error: unknown,
): Promise<unknown> {
  if (!(error instanceof InstantError) || error.row !== kafkaErrors.offsetOutOfRange) return error;
  try {
    const [offsets, committed] = [await admin.offsets(topic), await admin.committed(topic, group)];
    const places = offsets.flatMap(({ partition, earliest, next }) => {
      const at = committed.get(partition);
      if (at === undefined || (at >= earliest && at <= next)) return [];
      const log = at < earliest ? `begins at ${earliest}` : `ends at ${next}`;
      return [`partition ${partition}: the group is at ${at}, the log ${log}`];
    });
    const detail = `${group} on ${topic}, ${places.join("; ") || error.detail}`;
    return new InstantError(error.row, { detail, details: error.details, cause: error });
  } catch {
    return error; // Kafka does not say; the error stands without it
  }
}
