// kafkajs as it is set up here, with its log lines and its errors turned into ours.
import { readFileSync } from "node:fs";
import type {
  ISocketFactory,
  KafkaConfig,
  LogEntry,
  logCreator,
  RetryOptions,
  SASLOptions,
} from "kafkajs";
import { Kafka, logLevel } from "kafkajs";
import type { ErrorRow } from "../../../core/errors.ts";
import {
  coreErrors,
  errorMessage,
  InstantError,
  isInstantError,
  lowerFirst,
} from "../../../core/errors.ts";
import type { Log } from "../../../core/log.ts";
import { eventLogErrors } from "../event-log.ts";
import { batchBytesMaxDefault, installRecordBatches } from "./record-batch.ts";

/** The same reason is not logged again within this time. */
const repeatAfterMs = 10_000;
const reasonsMax = 100;

/**
 * Routes kafkajs' log lines into ours. It logs as errors what is part of every rebalance, restart
 * and first join, and also what it throws, which the caller logs. So only a broken connection is a
 * warning, at most once in 10 s per reason (while a broker is down, every connection logs every
 * attempt); the rest is at debug level.
 */
export function createKafkaLog(log: Log, now: () => number = Date.now): logCreator {
  const loggedAt = new Map<string, number>();
  const isRepeated = (reason: string) => {
    const at = now();
    if (at - (loggedAt.get(reason) ?? Number.NEGATIVE_INFINITY) < repeatAfterMs) return true;
    if (loggedAt.size >= reasonsMax) loggedAt.clear();
    loggedAt.set(reason, at);
    return false;
  };
  return () => (entry: LogEntry) => {
    const { message, error, broker } = entry.log;
    const reason = typeof error === "string" ? `${message}: ${error}` : message;
    const isAnswer = message.startsWith("Response ");
    if (entry.namespace !== "Connection" || isAnswer) {
      log.debug({ reason, broker, part: entry.namespace }, "Kafka client");
    } else if (!isRepeated(`${broker} ${reason}`)) {
      log.warn({ reason, broker }, "Kafka connection");
    }
  };
}

/** The brokers and the options of the connection. */
export interface KafkaConnection {
  /** host:port */
  readonly brokers: readonly string[];
  readonly ssl: boolean;
  /** A PEM file; undefined: the authorities of the system. */
  readonly caFile: string | undefined;
  readonly sasl: KafkaSasl | undefined;
  /** Most bytes of a batch, decompressed; 16 MiB by default. One value per process. */
  readonly batchBytesMax?: number;
}

interface KafkaSasl {
  readonly mechanism: "plain" | "scram-sha-256" | "scram-sha-512";
  readonly username: string;
  readonly password: string;
}

const connectTimeoutMs = 3_000;
const loginTimeoutMs = 5_000;
const requestTimeoutMs = { once: 3_000, quick: 10_000, patient: 10_000 } as const;

/**
 * How long a client tries to reach a broker before the call fails. Once: for a diagnosis, which
 * needs an answer within seconds. Quick: 3 attempts within 0.2 s, for callers that wait and have a
 * fallback. Patient: 9 attempts within 5 s, for background work that would only retry.
 */
const patience = {
  once: { retries: 0, initialRetryTime: 50, maxRetryTime: 500 },
  quick: { retries: 2, initialRetryTime: 50, maxRetryTime: 500 },
  patient: { retries: 8, initialRetryTime: 100, maxRetryTime: 1_000 },
} as const;

/** Opaque outside of this folder. */
export type KafkaClient = Kafka;

interface KafkaClientOptions {
  readonly connection: KafkaConnection;
  readonly log: Log;
  readonly patience: keyof typeof patience;
  readonly socketFactory?: ISocketFactory;
}

/** Connects nothing yet. Throws `config_invalid` when the CA file cannot be read. */
export function createKafkaClient(options: KafkaClientOptions): KafkaClient {
  const { connection, log } = options;
  installRecordBatches({ bytesMax: connection.batchBytesMax ?? batchBytesMaxDefault });
  const settings: KafkaConfig = {
    clientId: "instant",
    brokers: [...connection.brokers],
    connectionTimeout: connectTimeoutMs,
    authenticationTimeout: loginTimeoutMs,
    requestTimeout: requestTimeoutMs[options.patience],
    retry: kafkaRetry(patience[options.patience]),
    logLevel: logLevel.WARN,
    logCreator: createKafkaLog(log),
  };
  if (connection.ssl) settings.ssl = readTls(connection.caFile);
  if (options.socketFactory !== undefined) settings.socketFactory = options.socketFactory;
  // kafkajs' type is a union by mechanism; all of ours take the same two fields.
  if (connection.sasl !== undefined) settings.sasl = connection.sasl as SASLOptions;
  return new Kafka(settings);
}

/** With every field set, as kafkajs has other defaults while NODE_ENV is "test". */
export function kafkaRetry(
  times: Required<Pick<RetryOptions, "retries" | "initialRetryTime" | "maxRetryTime">>,
): RetryOptions {
  return { ...times, factor: 0.2, multiplier: 2 };
}

function readTls(caFile: string | undefined): { ca?: string } {
  if (caFile === undefined) return {};
  try {
    return { ca: readFileSync(caFile, "utf8") };
  } catch (error) {
    throw new InstantError(coreErrors.configInvalid, {
      detail: `KAFKA_CA_FILE names a file that cannot be read: ${errorMessage(error)}`,
      cause: error,
    });
  }
}

/** Errors that only Kafka has; all others are rows of the port. */
export const kafkaErrors = {
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

/** kafkajs error names that mean no answer, or not yet. */
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
  KafkaJSOffsetOutOfRange: eventLogErrors.offsetOutOfRange,
};

/** Kafka's own error names (the protocol's error table). */
const rowsByType: Readonly<Record<string, ErrorRow>> = {
  UNKNOWN_TOPIC_OR_PARTITION: eventLogErrors.topicMissing,
  MESSAGE_TOO_LARGE: eventLogErrors.recordTooLarge,
  RECORD_LIST_TOO_LARGE: eventLogErrors.recordTooLarge,
  OFFSET_OUT_OF_RANGE: eventLogErrors.offsetOutOfRange,
  TOPIC_AUTHORIZATION_FAILED: kafkaErrors.accessDenied,
  GROUP_AUTHORIZATION_FAILED: kafkaErrors.accessDenied,
  CLUSTER_AUTHORIZATION_FAILED: kafkaErrors.accessDenied,
  SASL_AUTHENTICATION_FAILED: kafkaErrors.accessDenied,
  UNSUPPORTED_SASL_MECHANISM: kafkaErrors.accessDenied,
  ILLEGAL_SASL_STATE: kafkaErrors.accessDenied,
  REBALANCE_IN_PROGRESS: eventLogErrors.logUnavailable,
  ILLEGAL_GENERATION: eventLogErrors.logUnavailable,
  UNKNOWN_MEMBER_ID: eventLogErrors.logUnavailable,
};

/**
 * The only place that maps kafkajs errors to the port's. kafkajs wraps the first cause several
 * times ("number of retries exceeded"), so the innermost error decides; it does not name a missing
 * topic, so the caller passes it.
 */
export function classifyKafkaError(
  error: unknown,
  asked: { readonly topic?: string } = {},
): InstantError {
  if (isInstantError(error, coreErrors.deadlineExceeded)) return unavailable(error.detail, error);
  if (error instanceof InstantError) return error;
  const root = innermostError(error);
  const row = rowOf(root);
  const details = { ...asked, ...placeOf(root) };
  const missing = row === eventLogErrors.topicMissing ? details.topic : undefined;
  return new InstantError(row, { detail: missing ?? reasonOf(root), details, cause: error });
}

/** As `classifyKafkaError`, for `publish` and `ping`: refusals count as unavailable, too. */
export function toPublishError(error: unknown, asked?: { readonly topic: string }): InstantError {
  const failure = classifyKafkaError(error, asked);
  const isOfThePort = Object.values<ErrorRow>(eventLogErrors).includes(failure.row);
  return isOfThePort ? failure : unavailable(failure.message, failure);
}

export function unavailable(detail: string | undefined, cause?: InstantError): InstantError {
  return new InstantError(eventLogErrors.logUnavailable, {
    ...(detail === undefined ? {} : { detail }),
    ...(cause === undefined ? {} : { details: cause.details, cause }),
  });
}

/** The message of kafkajs; with the fix where no broker could be reached. */
function reasonOf(root: unknown): string {
  const { broker, code } = root as { broker?: unknown; code?: unknown };
  const words = errorMessage(root);
  if (typeof broker !== "string") return words;
  const known = describeUnreachable(String(code ?? ""), broker);
  if (known === undefined) return words.includes(broker) ? words : `${broker}: ${words}`;
  return `${known.text}: ${lowerFirst(known.fix)}`;
}

/** Why a broker could not be reached, and the fix, if the socket's code reveals it. */
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

/** A broker answered, but with a state that will change in a moment. */
const settlingTypes = new Set([
  "NOT_COORDINATOR_FOR_GROUP",
  "GROUP_COORDINATOR_NOT_AVAILABLE",
  "GROUP_LOAD_IN_PROGRESS",
  "NOT_LEADER_FOR_PARTITION",
  "LEADER_NOT_AVAILABLE",
]);

/** Whether a group or a partition has no broker right now, as when it is new or a broker stopped. */
export function isSettling(error: unknown): boolean {
  const { type } = innermostError(error) as { type?: string };
  return settlingTypes.has(type ?? "");
}

function rowOf(root: unknown): ErrorRow {
  const { name, type, retriable } = root as { name?: string; type?: string; retriable?: boolean };
  if (name !== undefined && unavailableNames.has(name)) return eventLogErrors.logUnavailable;
  const row = rowsByType[type ?? ""] ?? rowsByName[name ?? ""];
  if (row !== undefined) return row;
  return retriable === true ? eventLogErrors.logUnavailable : kafkaErrors.refused;
}

/** The innermost cause: kafkajs wraps it, and so do we. */
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
function placeOf(root: unknown): { readonly topic?: string; readonly partition?: number } {
  const { topic, partition } = root as { topic?: unknown; partition?: unknown };
  return {
    ...(typeof topic === "string" && topic !== "" ? { topic } : {}),
    ...(typeof partition === "number" ? { partition } : {}),
  };
}
