import { eventually } from "../../../support/eventually.ts";
import { openSmtpSink } from "../../../support/smtp-sink/smtp-sink.ts";
import { openAuthGround, startAuth } from "../auth-service.ts";
import type { Benchmark, Measured } from "../benchmark.ts";
import { againstBefore, alternate, eachProgram } from "../benchmark.ts";
import { EmailService, openBacklog, smtpTo } from "../drain.ts";
import { addressOf, codeRequest, OpenHttpLoad, openLoop, percentile } from "../loads.ts";
import { runYardstick } from "../processes.ts";
import type { Stage } from "../stage.ts";

const perSecond = 200;
const sizes = {
  full: { warmUpSeconds: 3, seconds: 15, pairs: 5 },
  quick: { warmUpSeconds: 0.5, seconds: 1, pairs: 1 },
} as const;

interface Duration {
  readonly warmUpSeconds: number;
  readonly seconds: number;
}

export const endToEnd: Benchmark = {
  name: "end-to-end",
  job: `from the request to the SMTP server's 250, p99 at ${perSecond} a second`,
  unit: "ms",
  comparisons: [
    {
      against: "yardstick",
      yardstick: "kafkajs alone, produce to consume, p99 at the same rate",
      target: { atMost: 2.5 },
    },
    againstBefore({ atMost: 1.1 }),
  ],
  inQuick: false, // the p99 of a few mails is the slowest one, which means nothing
  measure: async (stage, scale) => {
    const { pairs, ...duration } = sizes[scale];
    return await alternate(pairs, {
      print: stage.print,
      ...eachProgram(stage, (program) => requestToAccepted(program, duration)),
      yardstick: async () => {
        await using backlog = await openBacklog(stage);
        const { brokers, topic } = backlog;
        return await runYardstick(stage, "round-trip", { brokers, topic, perSecond, ...duration });
      },
    });
  },
};

/** The sink and the load run in this process, which has nothing else to do meanwhile. */
async function requestToAccepted(stage: Stage, duration: Duration): Promise<Measured> {
  await using sink = await openSmtpSink();
  await using ground = await openAuthGround(stage);
  await using _email = await EmailService.start(stage, { ...ground.environment, ...smtpTo(sink) });
  await using auth = await startAuth(stage, ground);
  await using load = new OpenHttpLoad(auth.url);
  const requestedAt: number[] = [];
  const request = async (mails: number) => {
    await openLoop(perSecond, mails, () => {
      const number = requestedAt.push(performance.timeOrigin + performance.now()) - 1;
      load.send(codeRequest(load.host, number));
    });
    await eventually("each mail is accepted", () => {
      load.throwIfFailed();
      return sink.acceptedTotal >= requestedAt.length;
    });
  };
  await request(perSecond * duration.warmUpSeconds);
  const warmUp = requestedAt.length;
  await request(perSecond * duration.seconds);
  const acceptedAt = new Map(sink.accepted.map(({ to, at }) => [to[0], at]));
  const tookMs = requestedAt.map(
    (at, number) => (acceptedAt.get(addressOf(number)) ?? Number.NaN) - at,
  );
  return { value: percentile(tookMs.slice(warmUp), 0.99) };
}
