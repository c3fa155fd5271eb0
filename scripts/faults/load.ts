import type { EmailEvent } from "../../src/email/event.ts";
import type { ServiceRig } from "../../support/service-rig.ts";
import { makeMails } from "./mails.ts";

const everyMs = 50;

/** Publishes `perSecond` mails until `stop`, half codes that live for an hour; none is forgotten. */
export class Load {
  readonly events: EmailEvent[] = [];
  readonly #rig: ServiceRig;
  readonly #perSecond: number;
  readonly #running: Promise<void>;
  #stopped = false;

  constructor(rig: ServiceRig, perSecond: number) {
    this.#rig = rig;
    this.#perSecond = perSecond;
    this.#running = this.#run();
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  /** Resolves when the last mail is on the log. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    const startedAt = Date.now();
    while (!this.#stopped) {
      const due = Math.floor(((Date.now() - startedAt) / 1000) * this.#perSecond);
      const events = makeMails(due - this.events.length);
      this.events.push(...events);
      await this.#publish(events);
      await Bun.sleep(everyMs);
    }
  }

  /** The load's own log may be away as well: tried until it is back; a repeat is the same mail. */
  async #publish(events: readonly EmailEvent[]): Promise<void> {
    for (;;) {
      try {
        return await this.#rig.publish(events);
      } catch {
        await Bun.sleep(everyMs);
      }
    }
  }
}
