import type {
  LogRecord,
  RunningRecord,
  RunningRecords,
  SubscribeOptions,
} from "../../src/email/event-log/event-log.ts";

/** Waits for `wait` while the record counts as deferred. */
type Defer = (wait: () => Promise<void>) => Promise<void>;

/** Handles one record: resolved, it may be committed; rejected, it is left. */
export type HandleRecord = (
  record: LogRecord,
  signal: AbortSignal,
  draining: AbortSignal,
  defer: Defer,
) => Promise<void>;

/** A handler of batches that handles each record by itself. */
export function handleEach(handle: HandleRecord): SubscribeOptions["handle"] {
  return (batch, records) => {
    for (const running of batch) void handleOne(handle, running, records);
  };
}

async function handleOne(
  handle: HandleRecord,
  running: RunningRecord,
  records: RunningRecords,
): Promise<void> {
  const defer: Defer = async (wait) => {
    records.setDeferred(running, true);
    try {
      await wait();
    } finally {
      records.setDeferred(running, false);
    }
  };
  try {
    await handle(running.record, records.signal, records.draining, defer);
    records.finish(running);
  } catch (error) {
    records.leave(running, error);
  }
}
