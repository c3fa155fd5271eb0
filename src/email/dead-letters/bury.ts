import { errorMessage, isInstantError } from "../../core/errors.ts";
import type { Log } from "../../core/log.ts";
import type { Clock } from "../../core/time.ts";
import { backoffMs } from "../../core/time.ts";
import type { DeadLetterCause, DeadLetterClass } from "../delivery/outcome.ts";
import type { EventLog, LogRecord, RecordPosition } from "../event-log/event-log.ts";
import { eventLogErrors } from "../event-log/event-log.ts";
import type { DeliveryLedger } from "../ledger/delivery-ledger.ts";
import { encodeDeadLetter, shortenRecord } from "./dead-letter.ts";

export interface BuryDeps {
  readonly eventLog: EventLog;
  readonly ledger: DeliveryLedger;
  readonly clock: Clock;
  readonly log: Log;
  readonly settings: { readonly deadLetterTopic: string; readonly group: string };
  /** Lists each dead letter until it is written. */
  readonly unwritten?: UnwrittenDeadLetters;
  /** Called once a dead letter is acknowledged. */
  readonly onBuried?: (deadLetterClass: DeadLetterClass) => void;
}

const unwrittenMsMax = 10_000;

/** The dead letters that are not acknowledged yet; their partitions wait for them. */
export class UnwrittenDeadLetters {
  readonly #clock: Pick<Clock, "now">;
  readonly #waiting = new Map<LogRecord, { readonly since: number; reason: string }>();

  constructor(clock: Pick<Clock, "now">) {
    this.#clock = clock;
  }

  get count(): number {
    return this.#waiting.size;
  }

  /** Set once one has waited for 10 s: its partition is stuck, and a person may have to act. */
  get reason(): string | undefined {
    const [oldest] = this.#waiting.values(); // in the order they came
    const waitMs = oldest === undefined ? 0 : this.#clock.now() - oldest.since;
    if (oldest === undefined || waitMs < unwrittenMsMax) return undefined;
    const seconds = Math.round(waitMs / 1000);
    return `a dead letter has not been acknowledged for ${seconds} s: ${oldest.reason}`;
  }

  add(record: LogRecord): void {
    this.#waiting.set(record, { since: this.#clock.now(), reason: "the log does not answer" });
  }

  failed(record: LogRecord, reason: string): void {
    const waiting = this.#waiting.get(record);
    if (waiting !== undefined) waiting.reason = reason;
  }

  remove(record: LogRecord): void {
    this.#waiting.delete(record);
  }
}

const publishDeadlineMs = 5000;
const retryBackoff = { delayMsMin: 1000, delayMsMax: 5000 };
/** A larger value is not sent whole: a broker may close the connection over it. */
const wholeValueBytesMax = 8 * 1024 * 1024;
/** How much of a value is written when the topic refuses more. */
const shorterValueBytes = [64 * 1024, 4 * 1024, 0] as const;

/**
 * Writes the dead letter of a record and resolves once the log has acknowledged it and the ledger
 * knows its position. Retries for ever (after 1, 2, 4, 5, 5 … s): until then nothing is committed
 * and the partition waits. What the topic refuses as too large is shortened (64 KiB, 4 KiB, nothing
 * of the value; see `dead-letter.ts`). Throws `signal.reason` when aborted.
 */
export async function bury(
  deps: BuryDeps,
  record: LogRecord,
  cause: DeadLetterCause,
  signal: AbortSignal,
): Promise<RecordPosition> {
  const position = await write(deps, record, cause, signal);
  deps.onBuried?.(cause.class);
  const { messageId, inLedger } = cause;
  if (inLedger && messageId !== undefined) {
    const { partition, offset } = position;
    await untilDone(deps, signal, "Dead-letter position not recorded", () =>
      deps.ledger.markBuried(messageId, { partition, offset }),
    );
  }
  deps.log.error(
    {
      messageID: messageId,
      class: cause.class,
      reason: cause.reason,
      partition: record.partition,
      offset: record.offset,
      deadLetter: { partition: position.partition, offset: position.offset },
    },
    "Email event moved to the dead-letter topic",
  );
  return position;
}

async function write(
  deps: BuryDeps,
  record: LogRecord,
  cause: DeadLetterCause,
  signal: AbortSignal,
): Promise<RecordPosition> {
  const { deadLetterTopic, group } = deps.settings;
  const failure = { ...cause, failedAt: deps.clock.now(), group };
  const shorter = [...shorterValueBytes];
  const isHuge = (record.value?.byteLength ?? 0) > wholeValueBytesMax;
  let kept = isHuge ? shortenRecord(record, shorter.shift() ?? 0) : record;
  const publish = async (): Promise<RecordPosition> => {
    for (;;) {
      try {
        const deadLetter = encodeDeadLetter(kept, failure);
        const options = { deadlineMs: publishDeadlineMs };
        const [written] = await deps.eventLog.publish(deadLetterTopic, [deadLetter], options);
        if (written === undefined) throw new Error("a publish of one record named no position");
        return written;
      } catch (error) {
        const isTooLarge = isInstantError(error, eventLogErrors.recordTooLarge);
        const valueBytesMax = isTooLarge ? shorter.shift() : undefined;
        if (valueBytesMax === undefined) {
          deps.unwritten?.failed(record, errorMessage(error));
          throw error;
        }
        kept = shortenRecord(record, valueBytesMax);
      }
    }
  };
  deps.unwritten?.add(record);
  try {
    return await untilDone(deps, signal, "Dead letter not acknowledged", publish);
  } finally {
    deps.unwritten?.remove(record);
  }
}

async function untilDone<T>(
  { clock, log }: BuryDeps,
  signal: AbortSignal,
  phrase: string,
  attempt: () => Promise<T>,
): Promise<T> {
  for (let failures = 1; ; failures += 1) {
    signal.throwIfAborted();
    try {
      return await attempt();
    } catch (error) {
      if (!isInstantError(error)) throw error;
      const waitMs = backoffMs(failures, retryBackoff);
      log.error({ error: errorMessage(error), waitMs }, phrase);
      await clock.sleep(waitMs, signal);
    }
  }
}
