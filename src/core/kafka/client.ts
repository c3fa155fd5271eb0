import { readFileSync } from "node:fs";
import type { KafkaConfig, RetryOptions, SASLOptions } from "kafkajs";
import { Kafka, logLevel } from "kafkajs";
import { coreErrors } from "../error-codes.ts";
import { errorMessage, InstantError } from "../errors.ts";
import type { Log } from "../log.ts";
import type { KafkaConnection } from "./connection.ts";
import { createKafkaLog } from "./log-creator.ts";
import { batchBytesMaxDefault, registerBatchReader } from "./record-batch.ts";

const connectTimeoutMs = 3_000;
const loginTimeoutMs = 5_000;
const requestTimeoutMs = 10_000;

/**
 * How long a client tries to reach a broker before the call fails. Quick: 3 tries within 0.2 s, for
 * callers who wait and have another way. Patient: 9 tries within 5 s, for what runs in the
 * background and would only try again.
 */
const patience = {
  quick: { retries: 2, initialRetryTime: 50, maxRetryTime: 500 },
  patient: { retries: 8, initialRetryTime: 100, maxRetryTime: 1_000 },
} as const;

/** For those who pass it on; its methods are for this folder. */
export type KafkaClient = Kafka;

export interface KafkaClientOptions {
  readonly connection: KafkaConnection;
  readonly log: Log;
  readonly patience: keyof typeof patience;
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
    requestTimeout: requestTimeoutMs,
    retry: kafkaRetry(patience[options.patience]),
    logLevel: logLevel.WARN,
    logCreator: createKafkaLog(log),
  };
  if (connection.ssl) settings.ssl = readTls(connection.caFile);
  // kafkajs' type is a union by mechanism; all of ours take the same two fields.
  if (connection.sasl !== undefined) settings.sasl = connection.sasl as SASLOptions;
  return new Kafka(settings);
}

/** Every field set, as kafkajs has other defaults while NODE_ENV is "test". */
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
