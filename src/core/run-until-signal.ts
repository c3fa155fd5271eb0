import type { Service, ServiceGroupOptions } from "./service.ts";
import { ServiceGroup } from "./service.ts";

/**
 * Runs services until SIGTERM or SIGINT (or `signal` aborts), then drains and stops them.
 * Resolves with the exit code: 0 when all stopped in time, 1 otherwise. The handlers are in place
 * before the first start, so a process that is PID 1 can be stopped while it starts; a second
 * signal ends the process at once. Throws what a start throws.
 */
export async function runUntilSignal(
  services: readonly Service[],
  options: ServiceGroupOptions & { readonly onStarted?: () => void; readonly signal?: AbortSignal },
): Promise<number> {
  const group = new ServiceGroup(options);
  const asked = Promise.withResolvers<void>();
  let signals = 0;
  const onSignal = (name: NodeJS.Signals) => {
    signals += 1;
    if (signals > 1) process.exit(1);
    options.log.info({ signal: name }, "Stopping: finishing what is in flight");
    asked.resolve();
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
  options.signal?.addEventListener("abort", () => asked.resolve(), { once: true });
  try {
    await Promise.race([group.start(services).then(options.onStarted), asked.promise]);
    await asked.promise;
    const inTime = await group.stop();
    options.log.info({ inTime }, "Stopped");
    return inTime ? 0 : 1;
  } finally {
    process.off("SIGTERM", onSignal);
    process.off("SIGINT", onSignal);
  }
}
