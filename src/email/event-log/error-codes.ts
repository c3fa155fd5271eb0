import type { ErrorRow } from "../../core/errors.ts";

export const eventLogErrors = {
  logUnavailable: {
    code: "log_unavailable",
    meaning: "The event log did not answer in time",
    retryable: true,
    status: 503,
  },
  topicMissing: {
    code: "topic_missing",
    meaning: "Topic does not exist (create it with: instant create-topics)",
    retryable: true,
    status: 503,
  },
  recordTooLarge: {
    code: "record_too_large",
    meaning: "The record is larger than the topic accepts",
    retryable: false,
    status: 413,
  },
  offsetOutOfRange: {
    code: "offset_out_of_range",
    meaning: "The group's offset is not on the log any more",
    retryable: false,
    status: 500,
  },
} as const satisfies Record<string, ErrorRow>;
