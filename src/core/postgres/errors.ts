import postgres from "postgres";
import { coreErrors } from "../error-codes.ts";
import { errorMessage, InstantError } from "../errors.ts";
import { postgresFailureLine } from "./connect-failure.ts";
import type { PostgresOptions } from "./pool.ts";
import { addressOf } from "./pool.ts";

const uniqueViolationState = "23505";

/**
 * SQLSTATEs after which the same statement may succeed later with nothing changed by us: classes
 * 08 (connection), 53 (resources), 57 (shut down, starting, statement timeout), 58 (system), and
 * 25006 (a standby after a failover), 40001, 40P01, 55P03 (another transaction was in the way).
 */
const retryableState = /^(?:08|53|57|58)|^(?:25006|40001|40P01|55P03)$/;

/** Our error for any failure of a statement; a unique violation stays as it is (see below). */
export function classifyPostgresError(error: unknown, options: PostgresOptions): unknown {
  if (error instanceof InstantError || uniqueViolation(error) !== undefined) return error;
  const foreign = !(error instanceof postgres.PostgresError);
  if (foreign && !isConnectionError(error)) return error; // a fault of ours
  const row =
    foreign || retryableState.test(error.code)
      ? coreErrors.postgresUnavailable
      : coreErrors.postgresFailed;
  const reason = postgresFailureLine(error, options) ?? errorMessage(error);
  return new InstantError(row, { detail: `${addressOf(options)}: ${reason}`, cause: error });
}

/** A fail-over left this connection at the one that was the primary. */
export function isStandby(error: unknown): boolean {
  return error instanceof postgres.PostgresError && error.code === "25006";
}

/** The name of the violated unique constraint or index; undefined for any other error. */
export function uniqueViolation(error: unknown): string | undefined {
  if (!(error instanceof postgres.PostgresError) || error.code !== uniqueViolationState) {
    return undefined;
  }
  return error.constraint_name ?? "";
}

/** postgres.js: CONNECTION_CLOSED, CONNECT_TIMEOUT, …; sockets: ECONNREFUSED, ENOTFOUND, …. */
function isConnectionError(error: unknown): boolean {
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") {
    return false;
  }
  return /^(?:CONNECT|E[A-Z]|ERR_(?:TLS|SSL|SOCKET)|CERT|DEPTH|SELF_SIGNED|UNABLE|SASL|AUTH_TYPE)/.test(
    error.code,
  );
}
