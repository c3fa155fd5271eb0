import type { Clock } from "../../core/clock.ts";
import { errorMessage, isInstantError } from "../../core/errors.ts";
import type { Log } from "../../core/log.ts";
import type { EventLog, LogRecord, RecordPosition } from "../event-log/event-log.ts";
import type { DeliveryLedger } from "../ledger/delivery-ledger.ts";
import type { DeadLetterCause } from "../outcome.ts";
import { encodeDeadLetter } from "./letter.ts";

export interface BuryDeps {
  readonly eventLog: EventLog;
  readonly ledger: DeliveryLedger;
  readonly clock: Clock;
  readonly log: Log;
  readonly settings: { readonly deadLetterTopic: string; readonly group: string };
}

const publishDeadlineMs = 5000;
const retryDelayMsMax = 5000;

/**
 * Writes the dead letter of a record and resolves once the log has acknowledged it and the ledger
 * knows where it lies. Tries for ever (after 1, 2, 4, 5, 5 … s): until then nothing is committed
 * and the partition waits. Throws `signal.reason` when aborted.
 */
export async function bury(
  deps: BuryDeps,
  record: LogRecord,
  cause: DeadLetterCause,
  signal: AbortSignal,
): Promise<RecordPosition> {
  const failure = { ...cause, failedAt: deps.clock.now(), group: deps.settings.group };
  const letter = encodeDeadLetter(record, failure);
  const position = await untilDone(deps, signal, "Dead letter not acknowledged", async () => {
    const topic = deps.settings.deadLetterTopic;
    const [written] = await deps.eventLog.publish(topic, [letter], {
      deadlineMs: publishDeadlineMs,
    });
    if (written === undefined) throw new Error("a publish of one record named no position");
    return written;
  });
  const { messageId, inLedger } = cause;
  if (inLedger && messageId !== undefined) {
    const { partition, offset } = position;
    await untilDone(deps, signal, "Burial not recorded", () =>
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

async function untilDone<T>(
  { clock, log }: BuryDeps,
  signal: AbortSignal,
  phrase: string,
  attempt: () => Promise<T>,
): Promise<T> {
  for (let delayMs = 1000; ; delayMs = Math.min(delayMs * 2, retryDelayMsMax)) {
    signal.throwIfAborted();
    try {
      return await attempt();
    } catch (error) {
      if (!isInstantError(error)) throw error;
      log.error({ error: errorMessage(error), waitMs: delayMs }, phrase);
      await clock.sleep(delayMs, signal);
    }
  }
}
