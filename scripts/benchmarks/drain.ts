/** A backlog of mails on Kafka, serve-email, and how fast it drains that. */
import { join } from "node:path";
import { Partitioners } from "kafkajs";
import { encodeEmailEvent, eventKey, topicSpecs } from "../../src/email/event.ts";
import { lastingCodeEvent } from "../../support/events.ts";
import { eventually } from "../../support/eventually.ts";
import { connectKafka, openKafkaLogAt } from "../../support/kafka-logs.ts";
import { settingsOf } from "./before.ts";
import type { Measured } from "./benchmark.ts";
import type { Child, Served } from "./processes.ts";
import { readCpuMicros, readResidentBytes, serve } from "./processes.ts";
import type { Stage } from "./stage.ts";

/** Mails done before the clock starts: starting up and joining the group don't count. */
export const warmUpMails = 2000;
const batchRecords = 5000;
/** Longer than joining a group takes. */
const stalledMsMax = 15_000;
const pollMs = { min: 25, max: 500 } as const;

/** Topics of one row, as create-topics makes them; deleted when the scope ends. */
export interface Backlog extends AsyncDisposable {
  readonly brokers: string;
  readonly topic: string;
  /** The dead-letter topic. */
  readonly deadLetters: string;
  /** Brokers and topics, for a service. */
  readonly environment: Readonly<Record<string, string>>;
  /** Appends codes that live for an hour, each for another recipient. */
  add(mails: number): Promise<void>;
}

export async function openBacklog(stage: Stage): Promise<Backlog> {
  const brokers = await stage.kafka();
  const topic = `bench-${crypto.randomUUID().slice(0, 8)}`;
  const deadLetters = `${topic}-dlq`;
  await using log = await openKafkaLogAt(brokers);
  const specs = topicSpecs({ events: topic, deadLetters, partitions: 3, replicationFactor: 1 });
  await log.createTopics(specs, { grow: false });
  const kafka = connectKafka(brokers);
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  await producer.connect();
  return {
    brokers,
    topic,
    deadLetters,
    environment: {
      KAFKA_BROKERS: brokers,
      KAFKA_TOPIC_EMAIL_EVENTS: topic,
      KAFKA_TOPIC_EMAIL_DLQ: deadLetters,
    },
    add: async (mails) => {
      for (let left = mails; left > 0; left -= batchRecords) {
        const messages = Array.from({ length: Math.min(left, batchRecords) }, makeMessage);
        await producer.send({ topic, messages, acks: -1 });
      }
    },
    [Symbol.asyncDispose]: async () => {
      await producer.disconnect();
      const admin = kafka.admin();
      await admin.connect();
      await admin.deleteTopics({ topics: [topic, deadLetters] });
      await admin.disconnect();
    },
  };
}

function makeMessage() {
  const event = lastingCodeEvent();
  return { key: Buffer.from(eventKey(event)), value: Buffer.from(encodeEmailEvent(event)) };
}

/** Settings that send mails to this server in the clear. */
export function smtpTo({ port }: { readonly port: number }): Record<string, string> {
  return {
    EMAIL_MODE: "smtp",
    SMTP_HOST: "127.0.0.1",
    SMTP_PORT: String(port),
    SMTP_TLS: "none",
    SMTP_FROM: "noreply@example.com",
  };
}

/** The built serve-email with its default settings: ledger, lanes, commits and logs are on. */
export class EmailService implements AsyncDisposable {
  readonly #served: Served;

  private constructor(served: Served) {
    this.#served = served;
  }

  /** Resolves when it answers; it may be reading the backlog by then. */
  static async start(
    stage: Stage,
    environment: Readonly<Record<string, string>>,
  ): Promise<EmailService> {
    const served = await serve(stage, {
      command: [stage.program.path, "serve-email"],
      portVariable: "EMAIL_SERVICE_PORT",
      path: "/livez",
      environment: settingsOf(stage.program, {
        DATA_DIR: join(stage.makeDirectory(), "data"),
        ...environment,
      }),
    });
    return new EmailService(served);
  }

  get process(): Child {
    return this.#served.process;
  }

  /** CPU time so far. */
  get cpuMicros(): number {
    return readCpuMicros(this.process.pid);
  }

  /** Mails that have a ledger record. Cheap to read, whatever the load. */
  async begun(): Promise<number> {
    const { idempotency_records } = JSON.parse(await this.#get("/stats"));
    return Number(idempotency_records);
  }

  /** Mails the mailer accepted. Costs a little: the metrics read the group's lag as well. */
  async accepted(): Promise<number> {
    const line = /^instant_email_outcomes_total\{outcome="accepted"\} (\d+)$/m;
    return Number(line.exec(await this.#get("/metrics"))?.[1] ?? Number.NaN);
  }

  /** An error with the end of the service's output. */
  failure(what: string): Error {
    return this.process.failure(what);
  }

  async #get(path: string): Promise<string> {
    const { url, process } = this.#served;
    if (process.hasExited) throw process.failure();
    const answer = await fetch(`${url}${path}`);
    if (!answer.ok) throw new Error(`${path} answered ${answer.status}`);
    return answer.text();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#served[Symbol.asyncDispose]();
  }
}

type Drainable = Pick<EmailService, "begun" | "accepted" | "cpuMicros" | "failure">;

/**
 * Mails per second while `service` drains a backlog of `warmUp` and `mails` more. The clock starts
 * after the warm-up and stops when the last mail is accepted; any other outcome fails the row.
 */
export async function timeDrain(
  service: Drainable,
  mails: number,
  warmUp = warmUpMails,
): Promise<Required<Measured>> {
  const total = warmUp + mails;
  const first = await untilBegun(service, warmUp);
  await untilBegun(service, total);
  await eventually("each mail is accepted", async () => (await service.accepted()) >= total);
  const [endedAt, cpuMicros] = [performance.now(), service.cpuMicros];
  const done = total - first.begun;
  return {
    value: (done * 1000) / (endedAt - first.at),
    cpuMicros: (cpuMicros - first.cpuMicros) / done,
  };
}

/**
 * Each look costs the service a little, so the next one comes when half of what is left should be
 * done. Fails, with the end of the service's output, when nothing happens for 15 s.
 */
async function untilBegun(service: Drainable, mails: number) {
  const startedAt = performance.now();
  let first: number | undefined;
  let last = { begun: 0, at: startedAt };
  for (;;) {
    const begun = await service.begun();
    const at = performance.now();
    if (begun >= mails) return { begun, at, cpuMicros: service.cpuMicros };
    if (begun > last.begun) last = { begun, at };
    if (at > last.at + stalledMsMax) {
      throw service.failure(`${begun} of ${mails} mails, then nothing`);
    }
    first ??= begun;
    const perMs = (begun - first) / (at - startedAt);
    const halfMs = (mails - begun) / perMs / 2;
    await Bun.sleep(perMs > 0 ? Math.min(Math.max(halfMs, pollMs.min), pollMs.max) : pollMs.min);
  }
}

interface DrainOptions {
  readonly backlog: Backlog;
  /** Besides the warm-up. */
  readonly mails: number;
  readonly warmUp?: number;
  readonly environment?: Readonly<Record<string, string>>;
}

/**
 * Drains the whole backlog as if it were new: a serve-email in a group of its own, with an empty
 * ledger. `residentBytes` is the memory of the process when the last mail is done.
 */
export async function drainOnce(
  stage: Stage,
  { backlog, mails, warmUp, environment }: DrainOptions,
): Promise<Required<Measured> & { readonly residentBytes: number }> {
  await using redis = await stage.openRedis();
  await using service = await EmailService.start(stage, {
    ...backlog.environment,
    KAFKA_CONSUMER_GROUP: crypto.randomUUID(),
    REDIS_URL: redis.url,
    ...environment,
  });
  const measured = await timeDrain(service, mails, warmUp);
  return { ...measured, residentBytes: readResidentBytes(service.process.pid) };
}
