import { isInstantError } from "../errors.ts";
import type { PostgresDatabase } from "./database.ts";

/**
 * For a room whose callers can do without Postgres for a while: its tables are made now or, when
 * Postgres is away now, before the first use after it came back. Resolves to what every use awaits
 * first. Throws what trying again would not mend.
 */
export async function migrateLater(
  database: PostgresDatabase,
  room: string,
  steps: readonly string[],
): Promise<() => Promise<void>> {
  let migrating: Promise<void> | undefined;
  const migrated = () => {
    migrating ??= database.migrate(room, steps).catch((error: unknown) => {
      migrating = undefined;
      throw error;
    });
    return migrating;
  };
  try {
    await migrated();
  } catch (error) {
    if (!isInstantError(error) || !error.retryable) throw error;
  }
  return migrated;
}
