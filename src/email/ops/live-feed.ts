import { hostname } from "node:os";
import type { Service } from "../../core/service.ts";
import type { EmailWorker } from "../delivery/worker.ts";
import type { LagReader, LagState } from "../event-log/lag-reader.ts";
import type { AcceptanceSummary, Failure, MinuteCount, OutcomeHistory } from "./outcome-history.ts";
import type { ReplayJob, ReplayState } from "./replay-job.ts";

/** Parts of a page by the id of their element, as HTML. */
export type Sections = Readonly<Record<string, string>>;

interface LiveFeedOptions {
  /** How the page is now; called once for all who watch, and never while nobody does. */
  readonly render: () => Promise<Sections>;
  readonly everyMs: number;
}

type Watcher = ReadableStreamDefaultController<Uint8Array>;

export const watchersMax = 20;
const silentTicksMax = 10;
/** A browser that does not read is let go: it comes back by itself. */
const unreadChunksMax = 30;

/**
 * Server-sent events for the pages. Idle: nobody watches, nothing is computed. Watched: every
 * `everyMs` the sections are rendered, and those that changed are encoded once and written to all
 * watchers (20 at most); after 10 times without a change a comment keeps the connections open. Stopped:
 * all are let go.
 */
export class LiveFeed implements Service {
  readonly name = "live pages";
  readonly #options: LiveFeedOptions;
  readonly #watchers = new Set<Watcher>();
  #sent: Sections = {};
  #timer: ReturnType<typeof setInterval> | undefined;
  #ticking = false;
  #silentTicks = 0;
  #stopped = false;

  constructor(options: LiveFeedOptions) {
    this.#options = options;
  }

  get watchers(): number {
    return this.#watchers.size;
  }

  /** Undefined: too many watch already, or the service stops. */
  watch(): Response | undefined {
    if (this.#stopped || this.#watchers.size >= watchersMax) return undefined;
    let watcher: Watcher | undefined;
    const body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          watcher = controller;
          this.#watchers.add(controller);
          controller.enqueue(encode(this.#timer === undefined ? {} : this.#sent));
          this.#timer ??= setInterval(() => void this.#tick(), this.#options.everyMs);
        },
        cancel: () => {
          if (watcher !== undefined) this.#leave(watcher);
        },
      },
      new CountQueuingStrategy({ highWaterMark: unreadChunksMax }),
    );
    return new Response(body, {
      headers: { "Content-Type": "text/event-stream", "Cache-Control": "no-store" },
    });
  }

  async start(): Promise<void> {}

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const watcher of [...this.#watchers]) this.#close(watcher);
  }

  async #tick(): Promise<void> {
    if (this.#ticking) return;
    this.#ticking = true;
    try {
      const sections = await this.#options.render();
      const changed = Object.entries(sections).filter(([id, html]) => this.#sent[id] !== html);
      this.#sent = sections;
      this.#silentTicks = changed.length === 0 ? this.#silentTicks + 1 : 0;
      if (changed.length > 0) this.#write(encode(Object.fromEntries(changed)));
      else if (this.#silentTicks % silentTicksMax === 0) this.#write(comment);
    } finally {
      this.#ticking = false;
    }
  }

  #write(chunk: Uint8Array): void {
    for (const watcher of [...this.#watchers]) {
      if ((watcher.desiredSize ?? 0) <= 0) this.#close(watcher);
      else watcher.enqueue(chunk);
    }
  }

  #close(watcher: Watcher): void {
    this.#leave(watcher);
    watcher.close();
  }

  #leave(watcher: Watcher): void {
    this.#watchers.delete(watcher);
    if (this.#watchers.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#sent = {};
  }
}

const encoder = new TextEncoder();
const comment = encoder.encode(":\n\n");

function encode(sections: Sections): Uint8Array {
  return encoder.encode(`data: ${JSON.stringify(sections)}\n\n`);
}

/** Kafka ends a transaction whose producer is gone after a minute, unless that asked for more. */
const openTransactionSecondsMax = 60;

/** Of each transaction that has been open for over a minute: what cannot be read because of it. */
export function describeOpenTransactions({ partitions }: LagState): readonly string[] {
  return partitions.flatMap(({ partition, openTransaction }) => {
    if (openTransaction === undefined) return [];
    const { offset, records, seconds } = openTransaction;
    if (seconds <= openTransactionSecondsMax) return [];
    const minutes = `${Math.floor(seconds / 60)} min`;
    const events = `${records} ${records === 1 ? "event" : "events"}`;
    return [
      `Kafka: a producer's transaction has been open for ${minutes} at offset ${offset} of partition ${partition}: up to ${events} behind it cannot be read yet. instant doctor names the command that ends it`,
    ];
  });
}

/** All that the live pages show, at one time. */
export interface OpsSnapshot {
  readonly host: string;
  /** Why no mail starts now; empty when mails flow. */
  readonly reasons: readonly string[];
  readonly inFlight: number;
  readonly unfinished: number;
  /** Partitions that this process reads. */
  readonly mine: readonly number[];
  readonly lag: LagState;
  readonly minutes: readonly MinuteCount[];
  readonly acceptance: AcceptanceSummary;
  readonly failures: readonly Failure[];
  readonly replay: ReplayState;
}

interface SnapshotSources {
  readonly worker: Pick<EmailWorker, "pausedReasons" | "subscription">;
  readonly history: OutcomeHistory;
  readonly lag: Pick<LagReader, "state">;
  readonly replay: Pick<ReplayJob, "state">;
}

export async function takeSnapshot(sources: SnapshotSources): Promise<OpsSnapshot> {
  const { worker, history, replay } = sources;
  const stats = worker.subscription?.stats;
  return {
    host: hostname(),
    reasons: worker.pausedReasons,
    inFlight: stats?.inFlight ?? 0,
    unfinished: stats?.unfinished ?? 0,
    mine: stats?.partitions ?? [],
    lag: await sources.lag.state(),
    minutes: history.minutes(),
    acceptance: history.acceptance(),
    failures: history.failures(),
    replay: replay.state,
  };
}
