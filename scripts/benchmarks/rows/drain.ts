/** How fast serve-email drains a backlog: from Kafka to the log, over SMTP, and embedded. */
import { Database } from "bun:sqlite";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { silentLog } from "../../../src/core/log.ts";
import { openSqlite } from "../../../src/core/sqlite/database.ts";
import { topicSpecs } from "../../../src/email/event.ts";
import { openSqliteEventLog } from "../../../src/email/event-log/sqlite/sqlite.ts";
import { needProgram } from "../../../support/engines/packages.ts";
import { answersSmtp, choosePort } from "../../../support/engines/server.ts";
import { makeMails } from "../../../support/events.ts";
import { eventually } from "../../../support/eventually.ts";
import { publishAll } from "../../../support/service-rig.ts";
import { openSmtpSink } from "../../../support/smtp-sink/smtp-sink.ts";
import type { Program } from "../before.ts";
import type { Benchmark, Measured } from "../benchmark.ts";
import { againstBefore, alternate, eachProgram } from "../benchmark.ts";
import { drainOnce, EmailService, openBacklog, smtpTo, timeDrain, warmUpMails } from "../drain.ts";
import { Child, runYardstick } from "../processes.ts";
import type { Stage } from "../stage.ts";

const kafkaSizes = {
  full: { mails: 200_000, pairs: 5 },
  quick: { mails: 20_000, pairs: 1 },
} as const;

export const drainKafka: Benchmark = {
  name: "drain-kafka",
  job: "drain a backlog from Kafka, log mode",
  unit: "mails/s",
  comparisons: [
    {
      against: "yardstick",
      yardstick: "a kafkajs consumer that parses each record",
      target: { atLeast: 0.08 },
    },
    againstBefore({ atLeast: 4.5 }),
    againstBefore({ atMost: 0.15 }, "CPU time per mail of draining from Kafka, log mode"),
  ],
  inQuick: true,
  measure: async (stage, scale) => {
    const { mails, pairs } = kafkaSizes[scale];
    await using backlog = await openBacklog(stage);
    await backlog.add(warmUpMails + mails);
    const { brokers, topic } = backlog;
    const records = { brokers, topic, warmUp: warmUpMails, records: mails };
    return await alternate(pairs, {
      print: stage.print,
      ...eachProgram(stage, (program) => drainOnce(program, { backlog, mails })),
      yardstick: () => runYardstick(stage, "consume", records),
    });
  },
};

const smtpSizes = {
  full: { mails: 50_000, pairs: 5 },
  quick: { mails: 5000, pairs: 1 },
} as const;

/** The default of SMTP_CONNECTIONS. */
export const drainSmtp20 = drainSmtp(20, { inQuick: true });
export const drainSmtp60 = drainSmtp(60, { inQuick: false });

function drainSmtp(connections: number, { inQuick }: Pick<Benchmark, "inQuick">): Benchmark {
  return {
    name: `drain-smtp-${connections}`,
    job: `drain a backlog into an SMTP server, ${connections} connections`,
    unit: "mails/s",
    comparisons: [
      {
        against: "yardstick",
        yardstick: "Postfix's smtp-source, the same mail into the same server",
        target: { atLeast: 0.62 },
      },
      againstBefore({ atLeast: 3.8 }),
    ],
    inQuick,
    measure: async (stage, scale) => {
      const { mails, pairs } = smtpSizes[scale];
      await using backlog = await openBacklog(stage);
      await backlog.add(warmUpMails + mails);
      await using sink = await openPostfixSink(stage);
      const mail = await writeSampleMail(stage);
      const environment = { ...smtpTo(sink), SMTP_CONNECTIONS: String(connections) };
      return await alternate(pairs, {
        print: stage.print,
        ...eachProgram(stage, (program) => drainOnce(program, { backlog, mails, environment })),
        yardstick: () => sendByPostfix(stage, sink.port, { mail, times: mails, connections }),
      });
    },
  };
}

/** Postfix's `smtp-sink`: accepts every mail and throws it away, in C. */
async function openPostfixSink(stage: Stage): Promise<AsyncDisposable & { port: number }> {
  const program = await needPostfixProgram("smtp-sink", stage);
  const port = await choosePort(0);
  const rights = process.getuid?.() === 0 ? ["-u", "postfix"] : [];
  const child = new Child([program, ...rights, `127.0.0.1:${port}`, "1024"], {
    directory: stage.makeDirectory(),
  });
  await eventually("smtp-sink answers", () => {
    if (child.hasExited) throw child.failure();
    return answersSmtp({ host: "127.0.0.1", port });
  });
  return { port, [Symbol.asyncDispose]: () => child[Symbol.asyncDispose]() };
}

/** A file with a code mail as the program sends it, for `sendByPostfix`. */
async function writeSampleMail(stage: Stage): Promise<string> {
  await using sink = await openSmtpSink();
  const directory = stage.makeDirectory();
  const command = [stage.program.path, "send-test", "--to", "person1@example.com"];
  await using child = new Child(command, { directory, environment: smtpTo(sink) });
  await child.finish();
  const path = join(directory, "mail");
  writeFileSync(path, (sink.accepted[0]?.data ?? "").replaceAll("\r\n", "\n"));
  return path;
}

/**
 * Postfix's `smtp-source`, in C: one mail again and again, on connections that stay open. Timed
 * from its start, which takes some milliseconds, to its end.
 */
async function sendByPostfix(
  stage: Stage,
  port: number,
  load: { readonly mail: string; readonly times: number; readonly connections: number },
): Promise<Measured> {
  const { mail, times, connections } = load;
  const program = await needPostfixProgram("smtp-source", stage);
  const flags = ["-c", "-d", "-s", `${connections}`, "-m", `${times}`, "-F", mail];
  const people = ["-f", "noreply@example.com", "-t", "person1@example.com"];
  const startedAt = performance.now();
  await using child = new Child([program, ...flags, ...people, `127.0.0.1:${port}`], {
    directory: stage.makeDirectory(),
  });
  await child.finish();
  const ms = performance.now() - startedAt;
  return { value: (times * 1000) / ms, cpuMicros: child.cpuMicros / times };
}

/** Debian installs them where only root's PATH looks. */
async function needPostfixProgram(program: string, { print }: Stage): Promise<string> {
  const PATH = `${process.env["PATH"] ?? ""}:/usr/sbin`;
  const found = Bun.which(program, { PATH });
  return found ?? (await needProgram(program, { debian: "postfix", print: print }));
}

/** The same in both scales: fewer inserts are over before a slow disk shows. */
const insertedMails = 50_000;
const embeddedSizes = {
  full: { mails: 50_000, pairs: 5 },
  quick: { mails: 4000, pairs: 1 },
} as const;

export const drainEmbedded: Benchmark = {
  name: "drain-embedded",
  job: "drain a backlog of the embedded engines (SQLite), log mode",
  unit: "mails/s",
  comparisons: [
    {
      against: "yardstick",
      yardstick: "bun:sqlite inserts of the same events, a transaction per 100",
      target: { atLeast: 0.04 },
    },
    againstBefore({ atLeast: 4 }),
  ],
  inQuick: true,
  measure: async (stage, scale) => {
    const { mails, pairs } = embeddedSizes[scale];
    return await alternate(pairs, {
      print: stage.print,
      ...eachProgram(stage, async (program) => {
        const data = stage.makeDirectory();
        await fill(data, warmUpMails + mails);
        adapt(data, program.program);
        await using service = await EmailService.start(program, { DATA_DIR: data });
        return await timeDrain(service, mails);
      }),
      yardstick: () => {
        const file = join(stage.makeDirectory(), "inserts.sqlite");
        return runYardstick(stage, "insert", { file, mails: insertedMails });
      },
    });
  },
};

const eventsFile = "events.sqlite";

/** What serve-auth would have published before. */
async function fill(dataDirectory: string, mails: number): Promise<void> {
  await using file = await openSqlite(join(dataDirectory, eventsFile));
  await using log = await openSqliteEventLog(file, { log: silentLog });
  const topics = { events: "email-events", deadLetters: "email-events-dlq" };
  const specs = topicSpecs({ ...topics, partitions: 3, replicationFactor: 1 });
  await log.createTopics(specs, { grow: false });
  await publishAll(log, topics.events, makeMails(mails));
}

function adapt(dataDirectory: string, { adaptEventLog }: Program): void {
  if (adaptEventLog === undefined) return;
  using database = new Database(join(dataDirectory, eventsFile));
  database.run(adaptEventLog);
}
