import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { coreErrors, errorMessage, InstantError } from "../core/errors.ts";
import { randomToken } from "../core/secret.ts";
import type { Config } from "./config.ts";

/** AUTH_SECRET and the one before it; one is made when none is set (production demands one). */
export function authSecrets({ auth, app }: Config): {
  readonly current: string;
  readonly previous: string | undefined;
} {
  const current = auth.secret ?? loadOrMakeSecret(app.dataDirectory, "auth");
  return { current, previous: auth.secretPrevious };
}

export function emailSecret({ email, app }: Config): string {
  return email.secret ?? loadOrMakeSecret(app.dataDirectory, "email");
}

/**
 * The secret named `name` of this data directory: made on first use (256 bits, mode 0600), the
 * same ever after, also for processes that start at the same time.
 */
function loadOrMakeSecret(dataDirectory: string, name: string): string {
  const path = join(dataDirectory, `${name}.secret`);
  try {
    mkdirSync(dataDirectory, { recursive: true, mode: 0o700 });
    return readSecret(path) ?? makeSecret(path);
  } catch (error) {
    throw new InstantError(coreErrors.configInvalid, {
      detail: `DATA_DIR cannot be used: ${errorMessage(error)}`,
      cause: error,
    });
  }
}

function makeSecret(path: string): string {
  try {
    // One write of less than a block: another process sees all of it or an empty file.
    writeFileSync(path, randomToken(32), { mode: 0o600, flag: "wx" });
  } catch (error) {
    if (!hasCode(error, "EEXIST")) throw error;
  }
  for (let attempts = 0; attempts < 100; attempts += 1) {
    const secret = readSecret(path);
    if (secret !== undefined) return secret;
    Bun.sleepSync(10);
  }
  throw new Error(`${path} is empty; remove it to have a new one made`);
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
