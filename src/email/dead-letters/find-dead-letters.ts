import { isInstantError } from "../../core/errors.ts";
import type { EventLog, RecordPosition } from "../event-log/event-log.ts";
import { eventLogErrors } from "../event-log/event-log.ts";
import type { Letter } from "./replay-plan.ts";
import { readLetter } from "./replay-plan.ts";

interface LetterSearch {
  readonly topic: string;
  /** Only the newest so many of each partition are looked at. */
  readonly newest: number;
  readonly signal?: AbortSignal;
}

/** The newest letters for which `isWanted` holds, oldest first; none while the topic is missing. */
export async function findLetters(
  eventLog: EventLog,
  { topic, newest, signal }: LetterSearch,
  isWanted: (letter: Letter) => boolean,
): Promise<readonly Letter[]> {
  const found: Letter[] = [];
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
        const letter = readLetter(record);
        if (isWanted(letter)) found.push(letter);
      }
    }
  } catch (error) {
    if (!isInstantError(error, eventLogErrors.topicMissing)) throw error;
  }
  return found;
}

/** The letter at one place; undefined when it is not kept any more. */
export async function findLetterAt(
  eventLog: EventLog,
  { topic, partition, offset }: RecordPosition,
): Promise<Letter | undefined> {
  const range = { topic, partition, from: offset, to: offset + 1 };
  for await (const record of eventLog.readRange(range)) {
    if (record.offset === offset) return readLetter(record);
  }
  return undefined;
}
