import { errorMessage, InstantError, isInstantError } from "../../core/errors.ts";
import { ledgerErrors } from "./error-codes.ts";

/** Whatever an engine says when it cannot be used is `ledger_unavailable`; a bug stays a bug. */
export async function asLedgerError<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isInstantError(error) || error.row === ledgerErrors.ledgerUnavailable) throw error;
    throw new InstantError(ledgerErrors.ledgerUnavailable, {
      detail: errorMessage(error),
      details: error.details,
      cause: error,
    });
  }
}
