import { isInstantError } from "../../core/errors.ts";
import type { EventLog, RecordPosition } from "../event-log/event-log.ts";
import { eventLogErrors } from "../event-log/event-log.ts";
import type { DeadLetter } from "./replay-plan.ts";
import { readDeadLetter } from "./replay-plan.ts";

interface DeadLetterSearch {
  readonly topic: string;
  /** Only the newest so many of each partition are looked at. */
  readonly newest: number;
  readonly signal?: AbortSignal;
}

/** The newest letters for which `isWanted` holds, oldest first; none while the topic is missing. */
export async function findDeadLetters(
  eventLog: EventLog,
  { topic, newest, signal }: DeadLetterSearch,
  isWanted: (deadLetter: DeadLetter) => boolean,
): Promise<readonly DeadLetter[]> {
  const found: DeadLetter[] = [];
  try {
    for (const { partition, earliest, next } of await eventLog.offsets(topic)) {
      const from = Math.max(earliest, next - newest);
      const range = {
        topic,
        partition,
        from,
        to: next,
        ...(signal === undefined ? {} : { signal }),
      };
      for await (const record of eventLog.readRange(range)) {
        const deadLetter = readDeadLetter(record);
        if (isWanted(deadLetter)) found.push(deadLetter);
      }
    }
  } catch (error) {
    if (!isInstantError(error, eventLogErrors.topicMissing)) throw error;
  }
  return found;
}

/** The letter at one place; undefined when it is not kept any more. */
export async function findDeadLetterAt(
  eventLog: EventLog,
  { topic, partition, offset }: RecordPosition,
): Promise<DeadLetter | undefined> {
  const range = { topic, partition, from: offset, to: offset + 1 };
  for await (const record of eventLog.readRange(range)) {
    if (record.offset === offset) return readDeadLetter(record);
  }
  return undefined;
}
