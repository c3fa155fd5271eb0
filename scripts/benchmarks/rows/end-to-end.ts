import { encodeEmailEvent } from "../../../src/email/event.ts";
import { codeEvent } from "../../../support/events.ts";
import { eventually } from "../../../support/eventually.ts";
import { openSmtpSink } from "../../../support/smtp-sink/smtp-sink.ts";
import type { Measured } from "../alternate.ts";
import { alternate } from "../alternate.ts";
import { openAuthGround, startAuth, startEmail } from "../auth-service.ts";
import { openBacklog } from "../backlog.ts";
import type { Benchmark } from "../benchmark.ts";
import { Child } from "../child.ts";
import { OpenHttpLoad } from "../loads/open-http-load.ts";
import { openLoop, percentile } from "../loads/open-loop.ts";
import { addressOf, codeRequest } from "../loads/requests.ts";
import { scriptCommand } from "../script.ts";
import { smtpTo } from "../smtp-settings.ts";
import type { Stage } from "../stage.ts";
import type { RoundTripLoad } from "../yardsticks/kafka-round-trip.ts";

const perSecond = 200;

const sizes = {
  full: { warmUpSeconds: 3, seconds: 15, pairs: 5 },
  quick: { warmUpSeconds: 0.5, seconds: 1, pairs: 1 },
} as const;

type Size = (typeof sizes)["full" | "quick"];

export const endToEnd: Benchmark = {
  name: "end-to-end",
  job: `from the request to the SMTP server's 250, p99 at ${perSecond} a second`,
  yardstick: "kafkajs alone, produce to consume, p99 at the same rate",
  unit: "ms",
  target: { atMost: 3 },
  inQuick: false, // of few mails the p99 is the slowest one, which says nothing
  measure: async (stage, scale) => {
    const { pairs, ...size } = sizes[scale];
    return await alternate(pairs, {
      ours: () => requestToAccepted(stage, size),
      yardstick: () => produceToConsume(stage, size),
    });
  },
};

/** The sink and the load are this process, which has nothing else to do meanwhile. */
async function requestToAccepted(stage: Stage, size: Omit<Size, "pairs">): Promise<Measured> {
  await using sink = await openSmtpSink();
  await using ground = await openAuthGround(stage);
  await using _email = await startEmail(stage, ground, smtpTo(sink));
  await using auth = await startAuth(stage, ground);
  await using load = new OpenHttpLoad(auth.url);
  const askedAt: number[] = [];
  const ask = async (mails: number) => {
    await openLoop(perSecond, mails, () => {
      const number = askedAt.push(performance.timeOrigin + performance.now()) - 1;
      load.send(codeRequest(load.host, number));
    });
    await eventually("each mail is accepted", () => {
      load.throwIfRefused();
      return sink.acceptedTotal >= askedAt.length;
    });
  };
  await ask(perSecond * size.warmUpSeconds);
  const warmUp = askedAt.length;
  await ask(perSecond * size.seconds);
  const acceptedAt = new Map(sink.accepted.map(({ to, at }) => [to[0], at]));
  const tookMs = askedAt.map(
    (at, number) => (acceptedAt.get(addressOf(number)) ?? Number.NaN) - at,
  );
  return { value: percentile(tookMs.slice(warmUp), 0.99) };
}

async function produceToConsume(stage: Stage, size: Omit<Size, "pairs">): Promise<Measured> {
  const kafka = await stage.kafka();
  await using backlog = await openBacklog(kafka);
  const load: RoundTripLoad = {
    ...{ perSecond, ...size },
    brokers: kafka,
    topic: backlog.events,
    value: new TextDecoder().decode(encodeEmailEvent(codeEvent())),
  };
  const command = scriptCommand(stage, "yardsticks/kafka-round-trip.ts", JSON.stringify(load));
  await using child = new Child(command, { directory: stage.makeDirectory() });
  const { p99Ms } = JSON.parse(await child.finish()) as { readonly p99Ms: number };
  return { value: p99Ms };
}
