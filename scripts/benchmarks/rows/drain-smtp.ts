import { alternate } from "../alternate.ts";
import { openBacklog } from "../backlog.ts";
import type { Benchmark } from "../benchmark.ts";
import { warmUpMails } from "../drain.ts";
import { drainOnce } from "../drain-once.ts";
import { openPostfixSink, sendByPostfix, writeSampleMail } from "../postfix.ts";
import { smtpTo } from "../smtp-settings.ts";

const sizes = { full: { mails: 50_000, pairs: 5 }, quick: { mails: 5000, pairs: 1 } } as const;
/** The default of SMTP_CONNECTIONS. */
const connections = 20;

export const drainSmtp: Benchmark = {
  name: "drain-smtp",
  job: `drain a backlog into an SMTP server, ${connections} connections`,
  yardstick: "Postfix's smtp-source, the same mail into the same server",
  unit: "mails/s",
  target: { atLeast: 0.38 },
  inQuick: true,
  measure: async (stage, scale) => {
    const { mails, pairs } = sizes[scale];
    const kafka = await stage.kafka();
    await using backlog = await openBacklog(kafka);
    await backlog.add(warmUpMails + mails);
    await using sink = await openPostfixSink(stage);
    const path = await writeSampleMail(stage);
    return await alternate(pairs, {
      print: stage.print,
      ours: () => drainOnce(stage, { kafka, backlog, mails, environment: smtpTo(sink) }),
      yardstick: () =>
        sendByPostfix(stage, { path, times: mails }, { port: sink.port, connections }),
    });
  },
};
