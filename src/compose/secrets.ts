import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { coreErrors, errorMessage, InstantError } from "../core/errors.ts";
import { randomToken } from "../core/secret.ts";
import type { Config } from "./config.ts";

/** The current key, and the previous one, whose signatures are still accepted. */
export interface Secrets {
  readonly current: string;
  readonly previous: string | undefined;
}

export function authSecrets({ auth, app }: Config): Secrets {
  const current = auth.secret ?? loadOrCreateSecret(app.dataDirectory, "auth");
  return { current, previous: auth.secretPrevious };
}

export function emailSecrets({ email, app }: Config): Secrets {
  const current = email.secret ?? loadOrCreateSecret(app.dataDirectory, "email");
  return { current, previous: email.secretPrevious };
}

/**
 * The secret of this data directory, for one that is not set (production requires it). Created on
 * first use (256 bits, mode 0600) and stable from then on, also for processes that start together.
 */
function loadOrCreateSecret(dataDirectory: string, name: string): string {
  const path = join(dataDirectory, `${name}.secret`);
  try {
    mkdirSync(dataDirectory, { recursive: true, mode: 0o700 });
    return readSecret(path) ?? createSecret(path);
  } catch (error) {
    throw new InstantError(coreErrors.configInvalid, {
      detail: `DATA_DIR cannot be used: ${errorMessage(error)}`,
      cause: error,
    });
  }
}

function createSecret(path: string): string {
  try {
    // A single write of less than a block: another process sees all of it, or an empty file.
    writeFileSync(path, randomToken(32), { mode: 0o600, flag: "wx" });
  } catch (error) {
    if (!hasCode(error, "EEXIST")) throw error;
  }
  for (let attempts = 0; attempts < 100; attempts += 1) {
    const secret = readSecret(path);
    if (secret !== undefined) return secret;
    Bun.sleepSync(10);
  }
  throw new Error(`${path} is empty; remove it to have a new one created`);
}

function readSecret(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8").trim() || undefined;
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
