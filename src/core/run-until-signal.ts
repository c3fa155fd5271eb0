import type { ServiceGroupOptions } from "./service.ts";
import { ServiceGroup, StoppedWhileStarting } from "./service.ts";

/** What the running program may ask of the one who runs it. */
export interface Running {
  readonly group: ServiceGroup;
  /** Ends the program: stops all parts, then exits with code 1. */
  readonly fail: () => void;
}

/**
 * Starts a program with `start` and runs it until SIGTERM or SIGINT, then drains and stops it.
 * Resolves with the exit code: 0 when all stopped in time and nothing failed, 1 otherwise. The
 * handlers are in place before the first start, so that PID 1 can be stopped while it starts; a
 * second signal ends the process at once. Throws what `start` throws, after stopping its parts.
 */
export async function runUntilSignal(
  start: (running: Running) => Promise<void>,
  options: ServiceGroupOptions,
): Promise<number> {
  const group = new ServiceGroup(options);
  const asked = Promise.withResolvers<void>();
  let failed = false;
  let signals = 0;
  const onSignal = (name: NodeJS.Signals) => {
    signals += 1;
    if (signals > 1) process.exit(1);
    options.log.info({ signal: name }, "Stopping: finishing what is in flight");
    asked.resolve();
  };
  const fail = () => {
    failed = true;
    asked.resolve();
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
  try {
    const started = start({ group, fail }).catch(rethrowUnlessStopped);
    await Promise.race([started, asked.promise]);
    await asked.promise;
    const inTime = await group.stop();
    options.log.info({ inTime }, "Stopped");
    return inTime && !failed ? 0 : 1;
  } catch (error) {
    await group.stop();
    throw error;
  } finally {
    process.off("SIGTERM", onSignal);
    process.off("SIGINT", onSignal);
  }
}

function rethrowUnlessStopped(error: unknown): void {
  if (!(error instanceof StoppedWhileStarting)) throw error;
}
