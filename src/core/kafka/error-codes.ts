import type { ErrorRow } from "../errors.ts";

/** What Kafka can refuse, besides not answering (`kafka_unavailable`, in `core/error-codes.ts`). */
export const kafkaErrors = {
  topicMissing: {
    code: "kafka_topic_missing",
    meaning: "Kafka has no such topic",
    retryable: true,
    status: 503,
  },
  recordTooLarge: {
    code: "kafka_record_too_large",
    meaning: "The record is larger than the topic's max.message.bytes",
    retryable: false,
    status: 413,
  },
  offsetOutOfRange: {
    code: "kafka_offset_out_of_range",
    meaning: "The group's offset is not on the log any more",
    retryable: false,
    status: 500,
  },
  codecMissing: {
    code: "kafka_codec_missing",
    meaning: "A record is compressed in a way that cannot be read",
    retryable: false,
    status: 500,
  },
  accessDenied: {
    code: "kafka_access_denied",
    meaning: "Kafka denied access (check KAFKA_SASL_* and the ACLs)",
    retryable: false,
    status: 503,
  },
  refused: {
    code: "kafka_refused",
    meaning: "Kafka refused the request",
    retryable: false,
    status: 503,
  },
} as const satisfies Record<string, ErrorRow>;
