/** Time as a dependency, so that tests can hold and move it. Unix milliseconds throughout. */
export interface Clock {
  now(): number;
  /** Resolves after `durationMs`, or at once when `signal` is aborted; never rejects. */
  sleep(durationMs: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: (durationMs, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) {
        resolve();
        return;
      }
      const finish = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", finish);
        resolve();
      };
      const timer = setTimeout(finish, durationMs);
      signal?.addEventListener("abort", finish, { once: true });
    }),
};
