import type { InstantProcess } from "../../tests/support/instant-process.ts";
import { openOwnKafka } from "../../tests/support/own-kafka.ts";
import { openOwnRedis } from "../../tests/support/own-redis.ts";
import type { ServiceRig } from "../../tests/support/service-rig.ts";
import { openServiceRig } from "../../tests/support/service-rig.ts";
import { choosePort } from "../engines/ports.ts";
import { GatedProxy } from "./gated-proxy.ts";

export type OwnKafka = Awaited<ReturnType<typeof openOwnKafka>>;
export type OwnRedis = Awaited<ReturnType<typeof openOwnRedis>>;

/** Servers of its own behind proxies, and the built program's workers before them. */
export interface FaultWorld extends AsyncDisposable {
  readonly kafka: OwnKafka;
  readonly redis: OwnRedis;
  readonly kafkaProxy: GatedProxy;
  readonly redisProxy: GatedProxy;
  /** Topics, group and sink of one row; workers reach both servers through the proxies. */
  openRow(): Promise<ServiceRig>;
}

/** Short, so that what follows a kill does not take long: leases and sessions of 2 s. */
const quick = { EMAIL_LEASE: "2s", SMTP_REPLY_TIMEOUT: "2s", KAFKA_SESSION_TIMEOUT: "2s" };

export async function openFaultWorld(program: string): Promise<FaultWorld> {
  const stack = new AsyncDisposableStack();
  const advertised = await choosePort(0);
  const inner = await choosePort(0);
  const kafka = stack.use(
    await openOwnKafka({
      properties: {
        // Clients are sent to the proxy; the broker itself listens elsewhere.
        "advertised.listeners": `CLIENT://127.0.0.1:${advertised},INNER://127.0.0.1:${inner}`,
        "group.min.session.timeout.ms": "1000",
      },
    }),
  );
  const [host = "", port = ""] = kafka.brokers.split(":");
  const kafkaProxy = stack.use(new GatedProxy({ host, port: Number(port) }, advertised));
  const redis = stack.use(await openOwnRedis());
  const redisProxy = stack.use(new GatedProxy({ host: redis.host, port: redis.port }));
  return {
    ...{ kafka, redis, kafkaProxy, redisProxy },
    openRow: () =>
      openServiceRig({
        program,
        kafka: `127.0.0.1:${advertised}`,
        redis: redis.url,
        environment: { ...quick, REDIS_URL: `redis://127.0.0.1:${redisProxy.port}/0` },
      }),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

export function startWorker(rig: ServiceRig): InstantProcess {
  return rig.start(["serve-email"]);
}
