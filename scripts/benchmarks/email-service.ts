import { join } from "node:path";
import { eventually } from "../../tests/support/eventually.ts";
import { choosePort } from "../engines/ports.ts";
import type { Backlog } from "./backlog.ts";
import { Child } from "./child.ts";
import { readCpuMicros } from "./process-usage.ts";
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
  readonly #child: Child;
  readonly #url: string;

  private constructor(child: Child, url: string) {
    this.#child = child;
    this.#url = url;
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
    const port = await choosePort(0);
    const directory = stage.makeDirectory();
    const child = new Child([stage.program, "serve-email"], {
      directory,
      environment: {
        EMAIL_SERVICE_PORT: String(port),
        DATA_DIR: join(directory, "data"),
        ...environment,
      },
    });
    const service = new EmailService(child, `http://127.0.0.1:${port}`);
    await eventually("serve-email answers", async () => {
      if (child.hasEnded) throw child.failure();
      return await service.#ask("/livez").catch(() => undefined);
    });
    return service;
  }

  get url(): string {
    return this.#url;
  }

  get pid(): number {
    return this.#child.pid;
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
    return this.#child.failure(what);
  }

  async #ask(path: string): Promise<string> {
    if (this.#child.hasEnded) throw this.#child.failure();
    const answer = await fetch(`${this.#url}${path}`);
    if (!answer.ok) throw new Error(`${path} answered ${answer.status}`);
    return answer.text();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#child[Symbol.asyncDispose]();
  }
}
