import { choosePort } from "../../support/engines/server.ts";
import type { InstantProcess } from "../../support/instant-process.ts";
import { openOwnKafka } from "../../support/own-kafka.ts";
import { openOwnRedis } from "../../support/own-redis.ts";
import type { ServiceRig } from "../../support/service-rig.ts";
import { openServiceRig } from "../../support/service-rig.ts";
import type { SmtpSink, SmtpSinkOptions } from "../../support/smtp-sink/smtp-sink.ts";
import { openSmtpSink } from "../../support/smtp-sink/smtp-sink.ts";
import { HoldProxy } from "./proxy.ts";
import type { KafkaRequest, RedisCommand } from "./wires.ts";
import { createKafkaWire, createRedisWire } from "./wires.ts";

type OwnKafka = Awaited<ReturnType<typeof openOwnKafka>>;
type RedisAddress = Pick<OwnRedis, "url" | "host" | "port">;
type OwnRedis = Awaited<ReturnType<typeof openOwnRedis>>;

/** Servers of its own behind proxies, and workers of the built program in front of them. */
export interface FaultWorld extends AsyncDisposable {
  readonly kafka: OwnKafka;
  readonly redis: OwnRedis;
  /** Topics, group and sinks of one row; rows may run in parallel. */
  openRow(options?: RowOptions): Promise<FaultRow>;
}

interface RowOptions {
  /** Instead of the world's, for a row that changes it for good. */
  readonly redis?: RedisAddress | undefined;
  readonly sink?: SmtpSinkOptions;
}

/** Its workers reach both servers through proxies; all rows share the one in front of Kafka. */
export interface FaultRow extends ServiceRig {
  readonly kafkaProxy: HoldProxy<KafkaRequest>;
  readonly redisProxy: HoldProxy<RedisCommand>;
  /** For a worker with two servers; no other sends to it. */
  readonly secondSink: SmtpSink;
  startWorker(environment?: Record<string, string>): InstantProcess;
}

/** How many rows run in parallel: each mostly waits, and two cores are enough for them. */
export const rowsBeside = 3;

/** Of a claim; three times as long while the final reply is awaited. */
export const leaseMs = 2000;
/** Short, so that what follows a kill does not take long: leases and sessions of 2 s. */
const quick = {
  EMAIL_LEASE: `${leaseMs}ms`,
  SMTP_REPLY_TIMEOUT: "2s",
  KAFKA_SESSION_TIMEOUT: "2s",
  EMAIL_REFUSAL_GUARD: "0", // a row may refuse all of its few mails
};

export async function openFaultWorld(program: string): Promise<FaultWorld> {
  const stack = new AsyncDisposableStack();
  const advertised = await choosePort(0);
  const kafka = stack.use(
    await openOwnKafka({
      advertisedPort: advertised,
      properties: { "group.min.session.timeout.ms": "1000" },
    }),
  );
  const [host = "", port = ""] = kafka.brokers.split(":");
  const kafkaProxy = stack.use(
    await HoldProxy.open({
      target: { host, port: Number(port) },
      port: advertised,
      openWire: createKafkaWire,
    }),
  );
  const redis = stack.use(await openOwnRedis());
  return {
    kafka,
    redis,
    openRow: (options = {}) =>
      openRow(program, { kafkaProxy, redis: options.redis ?? redis, sink: options.sink }),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

interface Servers extends Pick<FaultRow, "kafkaProxy"> {
  readonly redis: RedisAddress;
  readonly sink: SmtpSinkOptions | undefined;
}

async function openRow(program: string, { kafkaProxy, redis, sink }: Servers): Promise<FaultRow> {
  const stack = new AsyncDisposableStack();
  const redisProxy = stack.use(await HoldProxy.open({ target: redis, openWire: createRedisWire }));
  const rig = stack.use(
    await openServiceRig({
      program,
      kafka: `127.0.0.1:${kafkaProxy.port}`,
      redis: redis.url,
      sink,
      environment: { ...quick, REDIS_URL: `redis://127.0.0.1:${redisProxy.port}/0` },
    }),
  );
  return {
    ...rig,
    kafkaProxy,
    redisProxy,
    secondSink: stack.use(await openSmtpSink()),
    startWorker: (environment = {}) => rig.start(["serve-email"], environment),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
