import type { EmailEvent } from "../../src/email/event.ts";
import { codeEvent, welcomeEvent } from "../../tests/support/events.ts";
import type { ServiceRig } from "../../tests/support/service-rig.ts";

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
      const events = Array.from({ length: due - this.events.length }, makeMail);
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

function makeMail(_: unknown, index: number): EmailEvent {
  if (index % 2 === 0) return welcomeEvent();
  const code = codeEvent();
  return { ...code, expiresAt: code.timestamp + 3_600_000 };
}
