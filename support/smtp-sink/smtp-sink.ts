import type { AcceptedMessage } from "./accepted.ts";
import { AcceptedMessages } from "./accepted.ts";
import type { SinkRule, SinkStage } from "./behaviour.ts";
import { SinkBehaviour } from "./behaviour.ts";
import type { SinkSessions, SinkTls } from "./listener.ts";
import { SinkListener } from "./listener.ts";
import type { SinkAuth } from "./session.ts";

/** An SMTP server for tests: accepts and counts everything, and misbehaves where it is told to. */
export interface SmtpSink extends AsyncDisposable {
  readonly port: number;
  /** The newest messages, oldest first; see `keepMax`. */
  readonly accepted: readonly AcceptedMessage[];
  readonly acceptedTotal: number;
  /** How often each Message-ID was accepted: more than 1 is a double. */
  countByMessageId(): ReadonlyMap<string, number>;
  readonly sessions: Readonly<SinkSessions>;
  /** How often sessions came to each stage. */
  readonly reachedTotal: Readonly<Record<SinkStage, number>>;
  /** Resolves when a session comes to `stage` the next time, before it is answered. */
  reaches(stage: SinkStage): Promise<void>;
  /** Replaces all rules; no rules: accepts everything. */
  setBehaviour(rules: readonly SinkRule[]): void;
  /** Adds a rule after the others. */
  misbehave(rule: SinkRule): void;
  /** Destroys every open connection, as a crash would. */
  dropConnections(): void;
  /** Closes the port and every connection; `listen` opens the same port again. */
  refuse(): Promise<void>;
  listen(): Promise<void>;
  /** Forgets what was accepted. */
  clear(): void;
  close(): Promise<void>;
}

export interface SmtpSinkOptions {
  /** 0, the default: any free port. */
  readonly port?: number;
  readonly host?: string;
  readonly tls?: SinkTls;
  readonly auth?: SinkAuth;
  readonly extensions?: readonly string[];
  /** Most messages kept whole (default 20,000). */
  readonly keepMax?: number;
  /** Called with what each read of a connection brings, as Latin-1. */
  readonly onRead?: (bytes: string) => void;
  /** Forgets what was read behind a dot, against RFC 2920. */
  readonly forgetsBehindDot?: boolean;
}

const usualExtensions = [
  "PIPELINING",
  "SIZE 10485760",
  "ENHANCEDSTATUSCODES",
  "8BITMIME",
  "SMTPUTF8",
];

export async function openSmtpSink(options: SmtpSinkOptions = {}): Promise<SmtpSink> {
  const behaviour = new SinkBehaviour();
  const accepted = new AcceptedMessages({ keepMax: options.keepMax ?? 20_000 });
  const stages = new StageCounter();
  const listener = new SinkListener(
    { host: options.host ?? "127.0.0.1", port: options.port ?? 0 },
    options.tls,
    {
      behaviour,
      accepted,
      auth: options.auth,
      extensions: options.extensions ?? usualExtensions,
      onStage: (stage) => stages.reached(stage),
      onRead: options.onRead,
      forgetsBehindDot: options.forgetsBehindDot,
    },
  );
  await listener.listen();
  const sink: SmtpSink = {
    get port() {
      return listener.port;
    },
    get accepted() {
      return accepted.messages;
    },
    get acceptedTotal() {
      return accepted.total;
    },
    countByMessageId: () => accepted.counts,
    sessions: listener.sessions,
    reachedTotal: stages.totals,
    reaches: (stage) => stages.next(stage),
    setBehaviour: (rules) => behaviour.set(rules),
    misbehave: (rule) => behaviour.add(rule),
    dropConnections: () => listener.dropConnections(),
    refuse: () => listener.refuse(),
    listen: () => listener.listen(),
    clear: () => accepted.clear(),
    close: () => listener.refuse(),
    [Symbol.asyncDispose]: () => listener.refuse(),
  };
  return sink;
}

class StageCounter {
  readonly totals: Record<SinkStage, number> = {
    connect: 0,
    ehlo: 0,
    starttls: 0,
    auth: 0,
    mail: 0,
    rcpt: 0,
    data: 0,
    content: 0,
    dot: 0,
    quit: 0,
  };
  #waiting: { readonly stage: SinkStage; readonly resolve: () => void }[] = [];

  reached(stage: SinkStage): void {
    this.totals[stage] += 1;
    if (this.#waiting.length === 0) return;
    const due = this.#waiting.filter((waiter) => waiter.stage === stage);
    this.#waiting = this.#waiting.filter((waiter) => waiter.stage !== stage);
    for (const waiter of due) waiter.resolve();
  }

  next(stage: SinkStage): Promise<void> {
    return new Promise((resolve) => this.#waiting.push({ stage, resolve }));
  }
}
