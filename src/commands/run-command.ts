import { coreErrors } from "../core/error-codes.ts";
import type { ErrorRow } from "../core/errors.ts";
import { errorMessage, isInstantError } from "../core/errors.ts";
import { createLog } from "../core/log.ts";
import { exitFailure, exitUsage } from "./exit-codes.ts";

const usageRows: readonly ErrorRow[] = [coreErrors.configInvalid, coreErrors.usageInvalid];
/** How long what still holds the event loop may keep a finished process. */
const lingerMs = 500;

/**
 * Runs a command and ends the process with the exit code it returns. An operating failure is one
 * line on stderr; anything else is a fault of ours and one JSON line on the log.
 */
export async function runCommand(command: () => Promise<number>): Promise<void> {
  process.on("unhandledRejection", crash);
  process.on("uncaughtException", crash);
  try {
    end(await command());
  } catch (error) {
    if (!isInstantError(error)) {
      crash(error);
      return;
    }
    process.stderr.write(`instant: ${error.message}\n`);
    end(usageRows.includes(error.row) ? exitUsage : exitFailure);
  }
}

function end(exitCode: number): void {
  process.exitCode = exitCode;
  setTimeout(() => process.exit(exitCode), lingerMs).unref();
}

function crash(error: unknown): void {
  const fields = { error: errorMessage(error), stack: error instanceof Error ? error.stack : "" };
  createLog({ service: "instant", level: "error" }).error(fields, "Crashed");
  process.exit(exitFailure);
}
