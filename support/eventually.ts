/**
 * Waits for a fact: calls `check` until it returns something other than undefined or false, and
 * returns that. Fails with `what` after `withinMs`. An error that `check` throws ends the wait.
 */
export async function eventually<T>(
  what: string,
  check: () => T | undefined | false | Promise<T | undefined | false>,
  withinMs = 15_000,
): Promise<T> {
  const givenUpAt = Date.now() + withinMs;
  for (;;) {
    const fact = await check();
    if (fact !== undefined && fact !== false) return fact;
    if (Date.now() > givenUpAt) throw new Error(`not within ${withinMs} ms: ${what}`);
    await Bun.sleep(10);
  }
}
