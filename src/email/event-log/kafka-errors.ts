import { coreErrors } from "../../core/error-codes.ts";
import type { ErrorRow } from "../../core/errors.ts";
import { InstantError } from "../../core/errors.ts";
import { kafkaErrors } from "../../core/kafka/error-codes.ts";
import { eventLogErrors } from "./error-codes.ts";

const rows = new Map<ErrorRow, ErrorRow>([
  [coreErrors.kafkaUnavailable, eventLogErrors.logUnavailable],
  [coreErrors.deadlineExceeded, eventLogErrors.logUnavailable],
  [kafkaErrors.topicMissing, eventLogErrors.topicMissing],
  [kafkaErrors.recordTooLarge, eventLogErrors.recordTooLarge],
  [kafkaErrors.offsetOutOfRange, eventLogErrors.offsetOutOfRange],
]);

/** The error of the port for one of `core/kafka`; rows the port does not name stay as they are. */
export function toEventLogError(error: unknown, topic?: string): unknown {
  const row = error instanceof InstantError ? rows.get(error.row) : undefined;
  if (!(error instanceof InstantError) || row === undefined) return error;
  const isTopicMissing = row === eventLogErrors.topicMissing;
  const detail = isTopicMissing && topic !== undefined ? topic : (error.detail ?? "");
  return new InstantError(row, { detail, details: error.details, cause: error });
}

/** As `toEventLogError`, for `publish` and `ping`: what Kafka does not allow is not there either. */
export function toPublishError(error: unknown, topic?: string): unknown {
  const known = toEventLogError(error, topic);
  if (!(known instanceof InstantError) || known !== error) return known;
  return new InstantError(eventLogErrors.logUnavailable, {
    detail: known.message,
    details: known.details,
    cause: known,
  });
}
