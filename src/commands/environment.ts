import { readFileSync } from "node:fs";
import { parseEnv } from "node:util";
import type { Environment } from "../core/config/parse.ts";
import { coreErrors } from "../core/error-codes.ts";
import { InstantError } from "../core/errors.ts";

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
