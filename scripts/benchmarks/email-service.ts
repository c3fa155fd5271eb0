import { join } from "node:path";
import type { Backlog } from "./backlog.ts";
import { readCpuMicros } from "./process-usage.ts";
import type { Served } from "./served.ts";
import { serve } from "./served.ts";
import type { Stage } from "./stage.ts";

export interface EmailServiceOptions {
  readonly kafka: string;
  readonly redis: string;
  readonly backlog: Backlog;
  readonly group: string;
  /** Further settings; all others are the defaults. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** The built serve-email with its default settings: ledger, lanes, commits and logs are on. */
export class EmailService implements AsyncDisposable {
  readonly #served: Served;

  private constructor(served: Served) {
    this.#served = served;
  }

  /** Resolves when it answers; it may be reading the backlog by then. */
  static start(stage: Stage, options: EmailServiceOptions): Promise<EmailService> {
    const { kafka, redis, backlog, group } = options;
    return EmailService.#open(stage, {
      KAFKA_BROKERS: kafka,
      REDIS_URL: redis,
      KAFKA_TOPIC_EMAIL_EVENTS: backlog.events,
      KAFKA_TOPIC_EMAIL_DLQ: backlog.deadLetters,
      KAFKA_CONSUMER_GROUP: group,
      ...options.environment,
    });
  }

  /** On the embedded engines, whose files are in `dataDirectory`. */
  static startEmbedded(stage: Stage, dataDirectory: string): Promise<EmailService> {
    return EmailService.#open(stage, { DATA_DIR: dataDirectory });
  }

  static async #open(stage: Stage, environment: Record<string, string>): Promise<EmailService> {
    const data = join(stage.makeDirectory(), "data");
    const served = await serve(stage, {
      command: [stage.program, "serve-email"],
      portVariable: "EMAIL_SERVICE_PORT",
      path: "/livez",
      environment: { DATA_DIR: data, ...environment },
    });
    return new EmailService(served);
  }

  get url(): string {
    return this.#served.url;
  }

  get pid(): number {
    return this.#served.pid;
  }

  /** CPU time so far. */
  get cpuMicros(): number {
    return readCpuMicros(this.pid);
  }

  /** Mails it has begun, by the ledger. Cheap to ask, whatever there is to do. */
  async begun(): Promise<number> {
    const { idempotency_records } = JSON.parse(await this.#ask("/stats"));
    return Number(idempotency_records);
  }

  /** Mails the mailer took. Asking costs a little: the metrics look at the group's lag as well. */
  async accepted(): Promise<number> {
    const line = /^instant_email_outcomes_total\{outcome="accepted"\} (\d+)$/m;
    return Number(line.exec(await this.#ask("/metrics"))?.[1] ?? Number.NaN);
  }

  /** An error with what the service said last. */
  failure(what: string): Error {
    return this.#served.process.failure(what);
  }

  async #ask(path: string): Promise<string> {
    const { url, process } = this.#served;
    if (process.hasEnded) throw process.failure();
    const answer = await fetch(`${url}${path}`);
    if (!answer.ok) throw new Error(`${path} answered ${answer.status}`);
    return answer.text();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#served[Symbol.asyncDispose]();
  }
}
