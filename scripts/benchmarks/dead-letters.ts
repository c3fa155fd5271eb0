import { encodeDeadLetter } from "../../src/email/dead-letters/dead-letter.ts";
import { encodeEmailEvent, eventKey } from "../../src/email/event.ts";
import type { LogRecord } from "../../src/email/event-log/event-log.ts";
import type { DeliveryLedger } from "../../src/email/ledger/delivery-ledger.ts";
import { makeLastingCode } from "../faults/mails.ts";
import type { Backlog } from "./backlog.ts";

const batchLetters = 1000;
const [rejectedClass, reason] = ["retries_exhausted", "450 4.2.0 Mailbox busy"] as const;

/**
 * Puts so many dead letters where serve-email would have: on the dead-letter topic as it writes
 * them, and rejected in the ledger, each of another mail.
 */
export async function addDeadLetters(
  backlog: Backlog,
  ledger: DeliveryLedger,
  letters: number,
): Promise<void> {
  for (let offset = 0; offset < letters; offset += batchLetters) {
    const count = Math.min(batchLetters, letters - offset);
    const records = Array.from({ length: count }, (_, index) =>
      makeRecord(backlog, offset + index),
    );
    await Promise.all(records.map(({ messageId }) => reject(ledger, messageId)));
    await backlog.send(
      backlog.deadLetters,
      records.map(({ record }) => {
        const failure = { class: rejectedClass, reason, attempts: 4, failedAt: Date.now() };
        const { key, value, headers } = encodeDeadLetter(record, { ...failure, group: "bench" });
        return {
          key: key && Buffer.from(key),
          value: value && Buffer.from(value),
          headers: Object.fromEntries(
            headers.map(([name, bytes]) => [name, Buffer.from(bytes ?? [])]),
          ),
        };
      }),
    );
  }
}

function makeRecord({ events }: Backlog, offset: number) {
  const event = makeLastingCode();
  const record: LogRecord = {
    ...{ topic: events, partition: 0, offset, timestamp: event.timestamp },
    timestampType: "CreateTime",
    key: eventKey(event),
    value: encodeEmailEvent(event),
    headers: [],
  };
  return { messageId: event.messageId, record };
}

async function reject(ledger: DeliveryLedger, messageId: string): Promise<void> {
  const owner = "bench";
  const claimed = await ledger.claim({
    ...{ messageId, owner, origin: undefined, replayCount: 0, leaseMs: 15_000, resubmit: false },
    digest: "bench",
    eventType: "verification_code",
    recipient: "p***@example.com",
    eventTimestamp: Date.now(),
  });
  if (claimed.kind !== "claimed") throw new Error(`the ledger says ${claimed.kind}`);
  const { fence } = claimed;
  const rejected = { kind: "rejected", class: rejectedClass, reason } as const;
  await ledger.advance({ messageId, owner, fence }, rejected);
}
