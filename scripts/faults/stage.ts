/** What every outage is played on: one worker runs, mails keep coming. */
import type { EmailEvent } from "../../src/email/event.ts";
import { makeMails } from "../../support/events.ts";
import { eventually } from "../../support/eventually.ts";
import type { InstantProcess } from "../../support/instant-process.ts";
import type { RedisPair } from "../../support/own-redis.ts";
import type { ServiceRig } from "../../support/service-rig.ts";
import type { FaultRow, FaultWorld } from "./world.ts";

export interface OutageScale {
  readonly perSecond: number;
  /** How long Kafka or Redis is down. */
  readonly downMs: number;
  readonly smtpDownMs: number;
  /** Play every phase in which the first of two SMTP servers fails, or every fourth. */
  readonly everyPhase: boolean;
  /** What a throttling server accepts. */
  readonly perSecondAccepted: number;
  /** How long a slow SMTP server takes to answer the final dot. */
  readonly slowDotMs: number;
  /** How often a replica joins and one leaves, and how far apart. */
  readonly rotations: number;
  readonly rotationMs: number;
}

export const quickScale: OutageScale = {
  perSecond: 100,
  downMs: 3000,
  smtpDownMs: 8000,
  everyPhase: false,
  perSecondAccepted: 30,
  slowDotMs: 9000,
  rotations: 3,
  rotationMs: 3000,
};
export const longScale: OutageScale = {
  perSecond: 200,
  downMs: 10_000,
  smtpDownMs: 60_000,
  everyPhase: true,
  perSecondAccepted: 50,
  slowDotMs: 45_000,
  rotations: 12,
  rotationMs: 10_000,
};

export interface Stage {
  readonly world: FaultWorld;
  readonly row: FaultRow;
  readonly load: Load;
  readonly worker: InstantProcess;
  readonly scale: OutageScale;
  readonly pair: RedisPair | undefined;
}

export interface Played {
  /** For each fault, the mails that waited for the final reply; unset: none may be sent twice. */
  readonly windows?: readonly ReadonlySet<string>[];
  /** Mails that the load did not publish. */
  readonly events?: readonly EmailEvent[];
  /** Broken promises that it found itself. */
  readonly breaches?: readonly string[];
  /** A measurement for the table. */
  readonly note?: string;
}

/** Waits until mails are accepted again. */
export async function progress(row: FaultRow): Promise<void> {
  const before = row.sink.acceptedTotal;
  await eventually("mails are accepted", () => row.sink.acceptedTotal > before, 60_000);
}

const everyMs = 50;

/** Publishes `perSecond` mails until `stop`, half of them codes; keeps them all. */
export class Load {
  readonly events: EmailEvent[] = [];
  readonly #row: ServiceRig;
  readonly #perSecond: number;
  readonly #running: Promise<void>;
  #isStopped = false;

  constructor(row: ServiceRig, perSecond: number) {
    this.#row = row;
    this.#perSecond = perSecond;
    this.#running = this.#run();
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** Resolves when the last mail is published. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    const startedAt = Date.now();
    while (!this.#isStopped) {
      const due = Math.floor(((Date.now() - startedAt) / 1000) * this.#perSecond);
      const events = makeMails(due - this.events.length);
      this.events.push(...events);
      await this.#publish(events);
      await Bun.sleep(everyMs);
    }
  }

  /** Kafka may be down for the load as well: retried until it is up; a repeat is the same mail. */
  async #publish(events: readonly EmailEvent[]): Promise<void> {
    for (;;) {
      try {
        return await this.#row.publish(events);
      } catch {
        await Bun.sleep(everyMs);
      }
    }
  }
}
