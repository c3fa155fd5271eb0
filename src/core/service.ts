import { errorMessage, isInstantError } from "./errors.ts";
import type { Log } from "./log.ts";
import { withDeadline } from "./time.ts";

/** A component that is started and stopped. */
export interface Service {
  readonly name: string;
  start(): Promise<void>;
  /** Accepts no new work, finishes what is in flight, releases everything. Idempotent. */
  stop(): Promise<void>;
}

interface ServiceGroupOptions {
  readonly log: Log;
  /** For all stops together; components that still hang then are logged and abandoned. */
  readonly stopDeadlineMs: number;
}

interface Part {
  readonly name: string;
  readonly stop: () => Promise<void>;
}

/** Thrown when a component is added while the group is stopping. */
class StoppedWhileStarting extends Error {
  override readonly name = "StoppedWhileStarting";
}

/**
 * The components of a running program, stopped in reverse order.
 *
 * Starting: components are owned (opened resources) or started (services). Stopping (idempotent):
 * components stop one after the other; a failure is logged and does not prevent the rest; a
 * component that is added now is stopped at once and its caller gets an error. At the deadline the
 * component that hangs is logged and the rest abandoned.
 */
export class ServiceGroup {
  readonly #options: ServiceGroupOptions;
  readonly #parts: Part[] = [];
  #stopping: Promise<boolean> | undefined;

  constructor(options: ServiceGroupOptions) {
    this.#options = options;
  }

  /** Takes ownership of an opened resource, and returns it. */
  async own<R extends AsyncDisposable>(name: string, opening: R | Promise<R>): Promise<R> {
    const resource = await opening;
    await this.#add({ name, stop: async () => resource[Symbol.asyncDispose]() });
    return resource;
  }

  async start(service: Service): Promise<void> {
    if (this.#stopping !== undefined) throw new StoppedWhileStarting(service.name);
    try {
      await service.start();
    } catch (error) {
      await service.stop();
      throw error;
    }
    await this.#add({ name: service.name, stop: () => service.stop() });
  }

  /** True when all stopped in time. */
  stop(): Promise<boolean> {
    this.#stopping ??= this.#stopAll();
    return this.#stopping;
  }

  async #add(part: Part): Promise<void> {
    if (this.#stopping === undefined) {
      this.#parts.push(part);
      return;
    }
    await part.stop();
    throw new StoppedWhileStarting(part.name);
  }

  async #stopAll(): Promise<boolean> {
    const { log, stopDeadlineMs } = this.#options;
    const parts = this.#parts.toReversed();
    let current = "";
    const stopping = (async () => {
      for (const part of parts) {
        current = part.name;
        await this.#stopOne(part);
      }
    })();
    try {
      await withDeadline("stopping", stopDeadlineMs, stopping);
      return true;
    } catch (error) {
      if (!isInstantError(error)) throw error;
      log.error({ part: current, deadlineMs: stopDeadlineMs }, "Component did not stop in time");
      return false;
    }
  }

  async #stopOne(part: Part): Promise<void> {
    try {
      await part.stop();
    } catch (error) {
      this.#options.log.error(
        { part: part.name, error: errorMessage(error) },
        "Component failed to stop",
      );
    }
  }
}

/** What `runUntilSignal` passes to the program. */
export interface Running {
  readonly group: ServiceGroup;
  /** Ends the program: stops all components, then exits with code 1. */
  readonly fail: () => void;
}

/**
 * Runs a program until SIGTERM or SIGINT, then drains and stops it. Resolves with the exit code: 0
 * when everything stopped in time and nothing failed, else 1. The handlers are installed before
 * `start`, so that PID 1 can be stopped while starting; a second signal exits at once. Rethrows
 * what `start` throws, after stopping its components.
 */
export async function runUntilSignal(
  start: (running: Running) => Promise<void>,
  options: ServiceGroupOptions,
): Promise<number> {
  const group = new ServiceGroup(options);
  const stopRequested = Promise.withResolvers<void>();
  let failed = false;
  let signals = 0;
  const onSignal = (name: NodeJS.Signals) => {
    signals += 1;
    if (signals > 1) process.exit(1);
    options.log.info({ signal: name }, "Stopping: finishing work in flight");
    stopRequested.resolve();
  };
  const fail = () => {
    failed = true;
    stopRequested.resolve();
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
  try {
    const started = start({ group, fail }).catch(rethrowUnlessStopped);
    await Promise.race([started, stopRequested.promise]);
    await stopRequested.promise;
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
