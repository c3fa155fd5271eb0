import { errorMessage } from "./errors.ts";
import type { Log } from "./log.ts";

/** A part of the program with a life. */
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

interface Part {
  readonly name: string;
  readonly stop: () => Promise<void>;
}

/** Thrown to whoever still starts parts of a group that was told to stop. */
export class StoppedWhileStarting extends Error {
  override readonly name = "StoppedWhileStarting";
}

/**
 * The parts of a running program, stopped in the reverse of the order they came.
 *
 * Starting: parts are owned (resources that were opened) or started (services). Stopping: asked
 * once or often, the parts stop one after the other; one that fails is logged and does not keep the
 * others; a part that comes now is stopped at once and its caller told. When the deadline passes,
 * the part that hangs is named and the rest abandoned.
 */
export class ServiceGroup {
  readonly #options: ServiceGroupOptions;
  readonly #parts: Part[] = [];
  #stopping: Promise<boolean> | undefined;

  constructor(options: ServiceGroupOptions) {
    this.#options = options;
  }

  /** Takes over what was opened, and returns it. */
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
    const stopped = (async () => {
      for (const part of parts) {
        current = part.name;
        await this.#stopOne(part);
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

  async #stopOne(part: Part): Promise<void> {
    try {
      await part.stop();
    } catch (error) {
      this.#options.log.error(
        { part: part.name, error: errorMessage(error) },
        "Part failed to stop",
      );
    }
  }
}
