import { readFileSync } from "node:fs";
import { parseEnv } from "node:util";
import type { Environment } from "../core/config.ts";
import type { ErrorRow } from "../core/errors.ts";
import { coreErrors, errorMessage, InstantError, isInstantError } from "../core/errors.ts";
import { createLog } from "../core/log.ts";

/** 0 done, 1 operating failure, 2 usage or configuration. */
export const exitFailure = 1;
export const exitUsage = 2;

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

/**
 * The variables a command runs with: the process's own, and below them those of the file that
 * `--env-file` names. No file is read unasked. Throws `config_invalid` when it cannot be read.
 */
export function loadEnvironment(envFile: string | undefined): Environment {
  if (envFile === undefined) return process.env;
  try {
    return { ...parseEnv(readFileSync(envFile, "utf8")), ...process.env };
  } catch (error) {
    throw new InstantError(coreErrors.configInvalid, {
      detail: `--env-file ${envFile} cannot be read`,
      cause: error,
    });
  }
}
