import { errorMessage } from "./errors.ts";
import type { Log } from "./log.ts";

/** A part of the program with a life: started in order, stopped in reverse. */
export interface Service {
  readonly name: string;
  start(): Promise<void>;
  /** Takes no new work, finishes what is in flight, releases all. Idempotent. */
  stop(): Promise<void>;
}

export interface ServiceGroupOptions {
  readonly log: Log;
  /** How long all stops together may take before the rest is named and abandoned. */
  readonly stopDeadlineMs: number;
}

/**
 * Starts services one after the other and stops them in reverse, once. When a start fails, what
 * was started is stopped and the failure is thrown. `stop` resolves true when everything stopped
 * in time; false after it logged the service that hangs.
 */
export class ServiceGroup {
  readonly #options: ServiceGroupOptions;
  readonly #started: Service[] = [];
  #stopping: Promise<boolean> | undefined;

  constructor(options: ServiceGroupOptions) {
    this.#options = options;
  }

  async start(services: readonly Service[]): Promise<void> {
    for (const service of services) {
      if (this.#stopping !== undefined) return;
      this.#started.push(service);
      try {
        await service.start();
      } catch (error) {
        await this.stop();
        throw error;
      }
    }
  }

  stop(): Promise<boolean> {
    this.#stopping ??= this.#stopAll();
    return this.#stopping;
  }

  async #stopAll(): Promise<boolean> {
    const { log, stopDeadlineMs } = this.#options;
    let current = "";
    const stopped = (async () => {
      for (const service of this.#started.toReversed()) {
        current = service.name;
        try {
          await service.stop();
        } catch (error) {
          log.error({ part: service.name, error: errorMessage(error) }, "Part failed to stop");
        }
      }
      return true;
    })();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<false>((resolve) => {
      timer = setTimeout(() => {
        log.error({ part: current, deadlineMs: stopDeadlineMs }, "Part did not stop in time");
        resolve(false);
      }, stopDeadlineMs);
    });
    const inTime = await Promise.race([stopped, late]);
    clearTimeout(timer);
    return inTime;
  }
}
