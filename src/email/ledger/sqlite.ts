import type { Database } from "bun:sqlite";
import type { Clock } from "../../core/clock.ts";
import { systemClock } from "../../core/clock.ts";
import { withDeadline } from "../../core/deadline.ts";
import type { SqliteDatabase } from "../../core/sqlite/database.ts";
import { decideAdvance, decideBuried } from "./advance-rules.ts";
import { decideClaim } from "./claim-rules.ts";
import type { DeliveryLedger } from "./delivery-ledger.ts";
import { asLedgerError } from "./errors.ts";
import { countRecords, readRecord, schemaSteps, writeRecord } from "./sqlite-records.ts";
import type { Decision, StoredRecord } from "./stored-record.ts";

export interface SqliteLedgerOptions {
  readonly database: SqliteDatabase;
  /** The store's time; processes that share the file share the machine's clock. */
  readonly clock?: Clock;
}

/** The ledger in a SQLite file. It uses the database it is given and leaves it open. */
export async function openSqliteDeliveryLedger(
  options: SqliteLedgerOptions,
): Promise<DeliveryLedger> {
  const { database, clock = systemClock } = options;
  await asLedgerError(() => database.migrate("email_ledger", schemaSteps));
  const change = <Outcome>(
    messageId: string,
    decide: (record: StoredRecord | undefined, now: number) => Decision<Outcome>,
  ) =>
    asLedgerError(() =>
      database.write((file) => decideAndWrite(file, messageId, clock.now(), decide)),
    );
  const ledger: DeliveryLedger = {
    connection: "embedded",
    refusal: undefined,
    claim: (request) =>
      change(request.messageId, (record, now) => decideClaim(record, request, now)),
    advance: (claim, to) =>
      change(claim.messageId, (record, now) => decideAdvance(record, claim, to, now)),
    markBuried: (messageId, position) =>
      change(messageId, (record, now) => decideBuried(record, position, now)),
    find: (messageId) =>
      asLedgerError(async () => database.read((file) => readRecord(file, messageId, clock.now()))),
    count: () =>
      asLedgerError(async () => database.read((file) => countRecords(file, clock.now()))),
    ping: ({ deadlineMs }) =>
      asLedgerError(() =>
        withDeadline(
          "an empty transaction",
          deadlineMs,
          database.write(() => {}),
        ),
      ),
    close: async () => {},
    [Symbol.asyncDispose]: () => ledger.close(),
  };
  return ledger;
}

function decideAndWrite<Outcome>(
  file: Database,
  messageId: string,
  now: number,
  decide: (record: StoredRecord | undefined, now: number) => Decision<Outcome>,
): Outcome {
  const record = readRecord(file, messageId, now);
  const { write, outcome } = decide(record, now);
  if (write !== undefined) writeRecord(file, write, { now, made: record === undefined });
  return outcome;
}
