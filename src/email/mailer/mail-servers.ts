import { domainOf } from "../../core/email-address.ts";
import type { Log } from "../../core/log.ts";
import type { Metrics } from "../../core/metrics.ts";
import type { Clock } from "../../core/time.ts";
import type { MailServerDeps, ObserveMailer } from "./mail-server.ts";
import { MailServer } from "./mail-server.ts";
import type {
  Mailer,
  MailMessage,
  ProbeOutcome,
  SendOptions,
  SendOutcome,
  ServerDown,
  Submission,
} from "./mailer.ts";
import { sendBySubmitting } from "./mailer.ts";
import { classifyReply } from "./reply.ts";

interface MailServersOptions {
  /** In the order of preference; at least one. */
  readonly mailers: readonly Mailer[];
  readonly clock: Clock;
  readonly log: Log;
  /** See `ServerStreak`. */
  readonly refusalsMax: number;
  /** False: a server that is down is still used if there is no other. */
  readonly pauses: boolean;
  readonly observe?: ObserveMailer | undefined;
}

interface Waiter {
  readonly recipient: string;
  readonly wake: () => void;
}

/** Timers take at most 2^31 - 1 ms; after an hour the caller checks again. */
const waitMsMax = 3_600_000;

/**
 * The SMTP servers as one mailer: each mail is handed to the first that is up (see `MailServer`).
 * It never tries a second server for one submission: a mail that the first did not take is returned
 * as `server_down`, with `another` if the caller may send again at once, but only after the ledger
 * confirms that nothing is on the wire. Any other result, above all `ambiguous`, is the outcome,
 * and the mail is not sent again through another server here.
 *
 * Some are up: mails flow. None is (`down`): the outcome is `server_down` without contacting a
 * server, and `untilBack` waits: for all of the waiting mails until a server is up again, for one
 * of them until a suspect server needs a trial.
 */
export class MailServers implements Mailer {
  readonly address: string;
  readonly concurrency: number;
  readonly #options: MailServersOptions;
  readonly #servers: readonly MailServer[];
  readonly #waiters = new Set<Waiter>();
  readonly #log: Log;
  readonly #listeners: (() => void)[] = [];
  #stopped = false;

  constructor(options: MailServersOptions) {
    const { mailers, clock, log, refusalsMax, pauses, observe } = options;
    this.#options = options;
    this.address = mailers.map(({ address }) => address).join(", ");
    this.concurrency = Math.max(...mailers.map(({ concurrency }) => concurrency)); // only one is used at a time
    const alone = mailers.length === 1;
    const deps: MailServerDeps = {
      clock,
      refusalsMax,
      observe,
      alone,
      pauses: pauses || !alone,
      onChange: (server, reason) => this.#changed(server, reason),
      hasAnother: (server) => this.#servers.some((other) => other !== server && other.isOpen),
      offerTrial: (refused) => this.#offerTrial(refused),
    };
    this.#servers = mailers.map((mailer) => new MailServer(mailer, deps));
    this.#log = log;
  }

  /** False when no server accepts non-ASCII characters before the @; undefined while unknown. */
  get offersUtf8(): boolean | undefined {
    const offers = this.#servers.map(({ mailer }) => mailer.offersUtf8);
    if (offers.includes(true)) return true;
    return offers.includes(undefined) ? undefined : false;
  }

  /** The problem of each server, while none is up. */
  get down(): ServerDown | undefined {
    const downs = this.#servers.map(({ down }) => down);
    const [first] = downs;
    if (first === undefined || downs.includes(undefined)) return undefined;
    const reason = downs.map((down) => down?.reason).join("; ");
    return { ...first, reason };
  }

  /** Servers that are down, whether or not others are up. */
  get unhealthy(): readonly { readonly address: string; readonly down: ServerDown }[] {
    return this.#servers.flatMap(({ mailer: { address }, down }) =>
      down === undefined ? [] : [{ address, down }],
    );
  }

  /**
   * Whether consuming should pause. Not if a single domain refuses all its recipients: only mails
   * to others can show that the domain is at fault.
   */
  get pausesConsumption(): boolean {
    return this.down !== undefined && !this.#servers.some(({ mayBeOneDomain }) => mayBeOneDomain);
  }

  /** `listener` is called when a server goes down or is back. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  send(message: MailMessage, options: SendOptions): Promise<SendOutcome> {
    return sendBySubmitting(this, message, options);
  }

  submit(submission: Submission): void {
    const [first] = this.#servers;
    const server =
      this.#servers.find((candidate) => candidate.isOpen) ??
      (submission.evenIfDown === true ? first : undefined);
    if (server !== undefined) server.submit(submission);
    else {
      const down = this.down ?? this.#gone();
      queueMicrotask(() => submission.settled(down));
    }
  }

  /** Probes the server in use. */
  async probe(signal?: AbortSignal): Promise<ProbeOutcome> {
    const server = this.#servers.find(({ down }) => down === undefined) ?? this.#servers[0];
    return server === undefined ? this.#gone() : server.probe(signal);
  }

  /**
   * Resolves when a mail to `recipient` may be sent, at `untilMs` (Unix ms), or when it is aborted
   * or stopped.
   */
  async untilBack(options: {
    readonly recipient: string;
    readonly untilMs: number;
    readonly signal: AbortSignal;
  }): Promise<void> {
    if (this.down === undefined || this.#stopped) return;
    const { clock } = this.#options;
    const woken = Promise.withResolvers<void>();
    const waiter = { recipient: options.recipient, wake: woken.resolve };
    const done = new AbortController();
    const waitMs = Math.min(Math.max(options.untilMs - clock.now(), 0), waitMsMax);
    this.#waiters.add(waiter);
    const slept = clock.sleep(waitMs, AbortSignal.any([done.signal, options.signal]));
    await Promise.race([woken.promise, slept]);
    done.abort();
    this.#waiters.delete(waiter);
  }

  /** Ends probes and waits; mails may still be sent. Idempotent. */
  stop(): void {
    this.#stopped = true;
    for (const server of this.#servers) server.stop();
    this.#wakeAll();
  }

  async close(): Promise<void> {
    this.stop();
    await Promise.all(this.#servers.map(({ mailer }) => mailer.close()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /**
   * Best a mail to a domain that did not refuse us, then to another recipient; else the one that
   * has waited longest.
   */
  #offerTrial(refused: Parameters<MailServerDeps["offerTrial"]>[0]): boolean {
    const waiters = [...this.#waiters];
    const chosen =
      waiters.find(({ recipient }) => !refused.domains.has(domainOf(recipient))) ??
      waiters.find(({ recipient }) => recipient !== refused.recipient) ??
      waiters[0];
    chosen?.wake();
    return chosen !== undefined;
  }

  #changed(server: MailServer, reason: string | undefined): void {
    const { address } = server.mailer;
    const part = "SMTP server";
    const others = this.#servers.filter((other) => other !== server);
    const elsewhere = others.some(({ down }) => down === undefined);
    if (reason === undefined) {
      if (others.length > 0) this.#log.info({ part, server: address }, "SMTP server is back");
      if (!elsewhere) this.#log.info({ part }, "Delivery resumed");
      this.#wakeAll();
    } else if (elsewhere) {
      this.#log.warn({ part, server: address, reason }, "SMTP server down, using another one");
    } else {
      this.#log.error({ part, reason: this.down?.reason ?? reason }, "Delivery paused");
    }
    for (const listener of this.#listeners) listener();
  }

  #wakeAll(): void {
    for (const { wake } of this.#waiters) wake();
  }

  #gone(): ServerDown {
    const reason = "the SMTP servers were stopped";
    return { kind: "server_down", cause: "closing", host: this.address, reason };
  }
}

const buckets = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** Counts and times the messages of each mailer. */
export function createMailerMetrics(metrics: Metrics, clock: Clock): ObserveMailer {
  const measured: Mailer[] = [];
  const refusals = metrics.counter({
    name: "instant_email_smtp_refusals_total",
    help: "Mails that an SMTP server did not accept, by the class of its reply.",
    labels: ["class", "server"],
  });
  metrics.gauge(
    {
      name: "instant_email_smtp_mails_per_second_max",
      help: "Current limit of the sending rate; absent while there is none.",
      labels: ["server"],
    },
    (set) => {
      for (const { address, perSecond } of measured) {
        if (perSecond !== undefined) set(perSecond, { server: address });
      }
    },
  );
  const durations = metrics.histogram({
    name: "instant_email_smtp_duration_seconds",
    help: "Time from handing a message to the SMTP client to its outcome, including the wait for a connection.",
    labels: ["outcome", "server"],
    buckets,
  });
  metrics.gauge(
    {
      name: "instant_email_smtp_certificate_seconds",
      help: "Time until the SMTP server's certificate expires; absent while none has been seen.",
      labels: ["server"],
    },
    (set) => {
      for (const { address, certificateEndsAt } of measured) {
        if (certificateEndsAt === undefined) continue;
        set((certificateEndsAt - clock.now()) / 1000, { server: address });
      }
    },
  );
  return (mailer) => {
    measured.push(mailer);
    const server = mailer.address;
    const labels: Partial<Record<SendOutcome["kind"], { outcome: string; server: string }>> = {};
    return (outcome, seconds) => {
      labels[outcome.kind] ??= { outcome: outcome.kind, server };
      durations.observe(seconds, labels[outcome.kind]);
      const name = classOf(outcome);
      if (name !== undefined) refusals.add({ class: name, server });
    };
  };
}

function classOf(outcome: SendOutcome): string | undefined {
  if (outcome.kind === "server_down") return outcome.cause;
  if (outcome.kind === "throttled") return "rate";
  if (outcome.kind !== "refused" && outcome.kind !== "deferred") return undefined;
  return classifyReply(outcome, outcome.stage);
}
