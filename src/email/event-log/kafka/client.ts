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
import { coreErrors, errorMessage, InstantError } from "../../../core/errors.ts";
import type { Log } from "../../../core/log.ts";
import { batchBytesMaxDefault, registerBatchReader } from "./record-batch.ts";

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
  registerBatchReader({ bytesMax: connection.batchBytesMax ?? batchBytesMaxDefault });
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
