import type { ErrorRow } from "./errors.ts";

/** The error rows of the core; a room's own rows stand in the room. */
export const coreErrors = {
  configInvalid: {
    code: "config_invalid",
    meaning: "The configuration is not valid",
    retryable: false,
    status: 500,
  },
  usageInvalid: {
    code: "usage_invalid",
    meaning: "The command line is not valid",
    retryable: false,
    status: 500,
  },
  deadlineExceeded: {
    code: "deadline_exceeded",
    meaning: "The operation did not finish in time",
    retryable: true,
    status: 503,
  },
  sqliteBusy: {
    code: "sqlite_busy",
    meaning: "The SQLite file stayed locked by another process",
    retryable: true,
    status: 503,
  },
  sqliteFailed: {
    code: "sqlite_failed",
    meaning: "The SQLite file could not be used",
    retryable: false,
    status: 503,
  },
  kafkaUnavailable: {
    code: "kafka_unavailable",
    meaning: "Failed to connect to Kafka",
    retryable: true,
    status: 503,
  },
  redisUnavailable: {
    code: "redis_unavailable",
    meaning: "Redis did not answer",
    retryable: true,
    status: 503,
  },
  postgresUnavailable: {
    code: "postgres_unavailable",
    meaning: "Postgres did not answer",
    retryable: true,
    status: 503,
  },
  postgresFailed: {
    code: "postgres_failed",
    meaning: "Postgres refused what was asked",
    retryable: false,
    status: 503,
  },
} as const satisfies Record<string, ErrorRow>;
