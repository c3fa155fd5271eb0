import { readFileSync } from "node:fs";
import { parseEnv } from "node:util";
import type { Environment } from "../core/config.ts";
import type { ErrorRow } from "../core/errors.ts";
import {
  coreErrors,
  errorMessage,
  exitCodes,
  InstantError,
  isInstantError,
} from "../core/errors.ts";
import { createLog } from "../core/log.ts";

const usageRows: readonly ErrorRow[] = [coreErrors.configInvalid, coreErrors.usageInvalid];
/** How long an open handle may keep a finished process alive. */
const lingerMs = 500;

/**
 * Runs a command and ends the process with the exit code it returns. An operating failure is one
 * line on stderr; anything else is a bug and one JSON line in the log.
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
    end(usageRows.includes(error.row) ? exitCodes.usage : exitCodes.failure);
  }
}

function end(exitCode: number): void {
  process.exitCode = exitCode;
  setTimeout(() => process.exit(exitCode), lingerMs).unref();
}

function crash(error: unknown): void {
  const fields = { error: errorMessage(error), stack: error instanceof Error ? error.stack : "" };
  createLog({ service: "instant", level: "error" }).error(fields, "Crashed");
  process.exit(exitCodes.failure);
}

/**
 * The variables a command runs with: the process's own take precedence over those of `--env-file`.
 * No file is read without the flag. Throws `config_invalid` when it cannot be read.
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
