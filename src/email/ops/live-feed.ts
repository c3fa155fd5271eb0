import type { Service } from "../../core/service.ts";

/** Parts of a page by the id of their element, as HTML. */
export type Sections = Readonly<Record<string, string>>;

interface LiveFeedOptions {
  /** Renders the current page; called once for all watchers, and never without any. */
  readonly render: () => Promise<Sections>;
  readonly everyMs: number;
}

type Watcher = ReadableStreamDefaultController<Uint8Array>;

export const watchersMax = 20;
const silentTicksMax = 10;
/** A browser that does not read is disconnected; it reconnects by itself. */
const unreadChunksMax = 30;

/**
 * Server-sent events for the pages. Idle: no watchers, nothing is computed. Watched: every `everyMs`
 * the sections are rendered, and those that changed are encoded once and written to all watchers (20
 * at most); after 10 rounds without a change a comment keeps the connections open. Stopped: all
 * connections are closed.
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

  /** Undefined if there are too many watchers, or the service is stopping. */
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
