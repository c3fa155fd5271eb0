import type { EmailEvent } from "../../src/email/event.ts";
import { eventually } from "../../support/eventually.ts";
import type { InstantProcess } from "../../support/instant-process.ts";
import type { RedisPair } from "../../support/redis-pair.ts";
import type { Load } from "./load.ts";
import type { FaultRow, FaultWorld } from "./world.ts";

export interface OutageScale {
  readonly perSecond: number;
  /** How long Kafka or Redis unavailable. */
  readonly awayMs: number;
  readonly smtpAwayMs: number;
  /** Of the phases where one of two SMTP servers fails, each, or every fourth. */
  readonly everyPhase: boolean;
  /** Mails a second that a server takes which throttles. */
  readonly perSecondTaken: number;
  /** How long the SMTP server takes to answer the final dot where it is slow. */
  readonly slowDotMs: number;
  /** How many times a replica joins and one leaves, and how far apart. */
  readonly rotations: number;
  readonly rotationMs: number;
}

export const quickScale: OutageScale = {
  perSecond: 100,
  awayMs: 3000,
  smtpAwayMs: 8000,
  everyPhase: false,
  perSecondTaken: 30,
  slowDotMs: 9000,
  rotations: 3,
  rotationMs: 3000,
};
export const longScale: OutageScale = {
  perSecond: 200,
  awayMs: 10_000,
  smtpAwayMs: 60_000,
  everyPhase: true,
  perSecondTaken: 50,
  slowDotMs: 45_000,
  rotations: 12,
  rotationMs: 10_000,
};

/** Where an outage is played: one worker runs, and mails come. */
export interface Stage {
  readonly world: FaultWorld;
  readonly row: FaultRow;
  readonly load: Load;
  readonly worker: InstantProcess;
  readonly scale: OutageScale;
  readonly pair: RedisPair | undefined;
}

export interface Played {
  /** For each time it came, the mails whose answer was awaited then; unset: no mail has an excuse. */
  readonly windows?: readonly ReadonlySet<string>[];
  /** Mails besides those of the load. */
  readonly events?: readonly EmailEvent[];
  /** What it found of the promise broken itself. */
  readonly breaches?: readonly string[];
  /** What was measured besides, for the table. */
  readonly note?: string;
}

/** Mails are accepted again. */
export async function progress(row: FaultRow): Promise<void> {
  const before = row.sink.acceptedTotal;
  await eventually("mails are accepted", () => row.sink.acceptedTotal > before, 60_000);
}
