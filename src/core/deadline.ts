import { coreErrors } from "./error-codes.ts";
import { InstantError } from "./errors.ts";

/**
 * Settles as `work` does, or rejects with `deadline_exceeded` after `durationMs`. The work itself
 * goes on: what it acquires must be released by whoever started it. `name` says what hung.
 */
export async function withDeadline<T>(
  name: string,
  durationMs: number,
  work: Promise<T>,
): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(
        new InstantError(coreErrors.deadlineExceeded, { detail: `${name} after ${durationMs} ms` }),
      );
    }, durationMs);
  });
  work.catch(() => {}); // a late rejection was already answered by the deadline
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
