import type { ErrorRow } from "../../../core/errors.ts";
import { coreErrors, errorMessage, InstantError, lowerFirst } from "../../../core/errors.ts";
import { eventLogErrors } from "../event-log.ts";

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

/** kafkajs error names that mean: nobody answered, or not yet. */
const unavailableNames = new Set([
  "KafkaJSConnectionError",
  "KafkaJSConnectionClosedError",
  "KafkaJSRequestTimeoutError",
  "KafkaJSBrokerNotFound",
  "KafkaJSNoBrokerAvailableError",
  "KafkaJSMetadataNotLoaded",
  "KafkaJSTopicMetadataNotLoaded",
  "KafkaJSStaleTopicMetadataAssignment",
  "KafkaJSGroupCoordinatorNotFound",
  "KafkaJSTimeout",
  "KafkaJSLockTimeout",
]);

const rowsByName: Readonly<Record<string, ErrorRow>> = {
  KafkaJSNotImplemented: kafkaErrors.codecMissing,
  KafkaJSSASLAuthenticationError: kafkaErrors.accessDenied,
  KafkaJSOffsetOutOfRange: kafkaErrors.offsetOutOfRange,
};

/** Kafka's own error names (the protocol's error table). */
const rowsByType: Readonly<Record<string, ErrorRow>> = {
  UNKNOWN_TOPIC_OR_PARTITION: kafkaErrors.topicMissing,
  MESSAGE_TOO_LARGE: kafkaErrors.recordTooLarge,
  RECORD_LIST_TOO_LARGE: kafkaErrors.recordTooLarge,
  OFFSET_OUT_OF_RANGE: kafkaErrors.offsetOutOfRange,
  TOPIC_AUTHORIZATION_FAILED: kafkaErrors.accessDenied,
  GROUP_AUTHORIZATION_FAILED: kafkaErrors.accessDenied,
  CLUSTER_AUTHORIZATION_FAILED: kafkaErrors.accessDenied,
  SASL_AUTHENTICATION_FAILED: kafkaErrors.accessDenied,
  UNSUPPORTED_SASL_MECHANISM: kafkaErrors.accessDenied,
  ILLEGAL_SASL_STATE: kafkaErrors.accessDenied,
  REBALANCE_IN_PROGRESS: coreErrors.kafkaUnavailable,
  ILLEGAL_GENERATION: coreErrors.kafkaUnavailable,
  UNKNOWN_MEMBER_ID: coreErrors.kafkaUnavailable,
};

/**
 * The one place where an error of kafkajs becomes ours. It wraps the first cause several times
 * ("number of retries exceeded"), so the innermost error decides.
 */
export function classifyKafkaError(error: unknown, details: object = {}): InstantError {
  if (error instanceof InstantError) return error;
  const root = innermostError(error);
  return new InstantError(rowOf(root), {
    detail: reasonOf(root),
    details: { ...details, ...placeOf(root) },
    cause: error,
  });
}

/** In the words of kafkajs; with the fix where nobody could be reached. */
function reasonOf(root: unknown): string {
  const { broker, code } = root as { broker?: unknown; code?: unknown };
  const words = errorMessage(root);
  if (typeof broker !== "string") return words;
  const known = describeUnreachable(String(code ?? ""), broker);
  if (known === undefined) return words.includes(broker) ? words : `${broker}: ${words}`;
  return `${known.text}: ${lowerFirst(known.fix)}`;
}

/** Why nobody could be reached, and the fix, where the socket's code says it. */
export function describeUnreachable(code: string, broker: string) {
  if (code === "ECONNREFUSED") {
    const fix = "Start it (docker-compose up -d kafka), or check KAFKA_BROKERS";
    return { text: `nothing listens on ${broker}`, fix };
  }
  if (code === "ENOTFOUND" || code.startsWith("EAI_")) {
    const host = broker.slice(0, broker.lastIndexOf(":"));
    const fix = "Check KAFKA_BROKERS, and this machine's DNS";
    return { text: `the name ${host} cannot be resolved`, fix };
  }
  return undefined;
}

/** A broker answered, and will know better in a moment. */
const settlingTypes = new Set([
  "NOT_COORDINATOR_FOR_GROUP",
  "GROUP_COORDINATOR_NOT_AVAILABLE",
  "GROUP_LOAD_IN_PROGRESS",
  "NOT_LEADER_FOR_PARTITION",
  "LEADER_NOT_AVAILABLE",
]);

/** Whether a group or a partition has no broker right now, as after it was made or a broker went. */
export function isSettling(error: unknown): boolean {
  const { type } = innermostError(error) as { type?: string };
  return settlingTypes.has(type ?? "");
}

function rowOf(root: unknown): ErrorRow {
  const { name, type, retriable } = root as { name?: string; type?: string; retriable?: boolean };
  if (name !== undefined && unavailableNames.has(name)) return coreErrors.kafkaUnavailable;
  const row = rowsByType[type ?? ""] ?? rowsByName[name ?? ""];
  if (row !== undefined) return row;
  return retriable === true ? coreErrors.kafkaUnavailable : kafkaErrors.refused;
}

/** The first cause: kafkajs wraps it, and so do we. */
export function innermostError(error: unknown): unknown {
  let root = error;
  for (let depth = 0; depth < 10; depth += 1) {
    const { cause, errors } = root as { cause?: unknown; errors?: readonly unknown[] };
    const inner = cause ?? errors?.[0];
    if (!(inner instanceof Error) || inner === root) return root;
    root = inner;
  }
  return root;
}

/** Topic and partition, where kafkajs names them. */
function placeOf(root: unknown): object {
  const { topic, partition } = root as { topic?: unknown; partition?: unknown };
  return { ...(topic ? { topic } : {}), ...(typeof partition === "number" ? { partition } : {}) };
}

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
