import { afterAll, describe, expect, test } from "bun:test";
import { createServer } from "node:net";
import { createTopics } from "../../src/commands/create-topics.ts";
import { silentLog } from "../../src/core/log.ts";
import { AdminSession } from "../../src/email/event-log/kafka/admin.ts";
import { createKafkaClient } from "../../src/email/event-log/kafka/client.ts";
import { openKafkaEventLog } from "../../src/email/event-log/kafka/kafka.ts";
import { findEngine } from "../../support/engines.ts";
import { testCertificates } from "../../support/smtp-sink/listener.ts";
import { newName } from "../contract/event-log-harness.ts";
import { examineWith, findTrouble, troubles } from "../support/doctor.ts";
import { EventLogReader, publishTexts } from "../support/event-logs.ts";

const brokers = findEngine("kafka") ?? "127.0.0.1:1";
const connection = { brokers: [brokers], ssl: false, caFile: undefined, sasl: undefined };

function newSettings() {
  const name = newName("doctor");
  return {
    KAFKA_BROKERS: brokers,
    KAFKA_TOPIC_EMAIL_EVENTS: name,
    KAFKA_TOPIC_EMAIL_DLQ: `${name}-dlq`,
    KAFKA_CONSUMER_GROUP: `${name}-group`,
  } as const;
}
type Settings = ReturnType<typeof newSettings>;

describe.skipIf(findEngine("kafka") === undefined)("doctor at Kafka", () => {
  const session = new AdminSession(
    createKafkaClient({ connection, log: silentLog, patience: "quick" }),
  );
  afterAll(() => session.close());

  async function look(settings: Readonly<Record<string, string>>) {
    const { findings, text } = await examineWith(settings);
    const ofKafka = findings.filter(({ check }) => check.startsWith("kafka."));
    return { findings: ofKafka, troubles: troubles(ofKafka), text };
  }

  function create(topic: string, settings: Readonly<Record<string, string>> = {}, partitions = 3) {
    const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }));
    const spec = { topic, numPartitions: partitions, replicationFactor: 1, configEntries };
    return session.call("creating", (admin) =>
      admin.createTopics({ topics: [spec], waitForLeaders: true }),
    );
  }

  /** Follows a fix that is a kafka-configs.sh command. */
  async function follow(fix: string | undefined): Promise<void> {
    const [, name = "", setting = ""] =
      /--entity-name (\S+) --add-config (\S+)$/.exec(fix ?? "") ?? [];
    const [entry = "", value = ""] = setting.split("=");
    await session.call("altering", (admin) =>
      admin.alterConfigs({
        validateOnly: false,
        resources: [{ type: 2, name, configEntries: [{ name: entry, value }] }],
      }),
    );
  }

  async function quietly(settings: Settings, flags: { readonly grow?: boolean } = {}) {
    const write = process.stdout.write;
    process.stdout.write = () => true;
    try {
      expect(await createTopics(settings, flags)).toBe(0);
    } finally {
      process.stdout.write = write;
    }
  }

  test("reports missing topics, and create-topics creates them", async () => {
    const settings = newSettings();
    const before = await look(settings);
    expect(before.troubles).toEqual(["kafka.topic", "kafka.topic"]);
    expect(before.text).toContain(`✗ Topic does not exist: ${settings.KAFKA_TOPIC_EMAIL_EVENTS}\n`);
    expect(before.text).toContain("→ ./instant create-topics\n");
    await quietly(settings);
    const after = await look(settings);
    expect(after.troubles).toEqual([]);
    expect(after.text).toContain("No dead letters");
    expect(after.text).toContain("May read and write both topics, and join the group");
  });

  test("finds too few partitions, and create-topics --grow fixes it", async () => {
    const settings = newSettings();
    await create(settings.KAFKA_TOPIC_EMAIL_EVENTS, { "retention.ms": "604800000" }, 1);
    await quietly(settings);
    const { findings } = await look(settings);
    expect(findTrouble(findings, "kafka.partitions")).toMatchObject({
      text: `${settings.KAFKA_TOPIC_EMAIL_EVENTS} has 1 partition instead of 3`,
      fix: "./instant create-topics --grow",
    });
    await quietly(settings, { grow: true });
    expect((await look(settings)).troubles).toEqual([]);
  });

  const seeded = [
    [{ "retention.ms": "300000" }, "kafka.retention", "fault", "codes live 10m"],
    [{ "retention.ms": "36000000" }, "kafka.retention", "warning", "an outage may last 20h"],
    [{ "cleanup.policy": "compact" }, "kafka.retention", "fault", "is compacted"],
    [{ "max.message.bytes": "100000" }, "kafka.record_size", "fault", "events are larger"],
    [{ "min.insync.replicas": "2" }, "kafka.replicas", "fault", "nothing can be published"],
  ] as const;

  for (const [setting, check, level, words] of seeded) {
    const [name, value] = Object.entries(setting)[0] ?? [];
    test(`finds ${name}=${value}, and its fix works`, async () => {
      const settings = newSettings();
      await create(settings.KAFKA_TOPIC_EMAIL_EVENTS, { "retention.ms": "604800000", ...setting });
      await quietly(settings);
      const { findings } = await look(settings);
      const trouble = findTrouble(findings, check);
      expect(trouble).toMatchObject({ level, text: expect.stringContaining(words) });
      await follow(trouble.fix);
      expect((await look(settings)).findings.map((each) => each.text)).not.toContain(trouble.text);
    });
  }

  test("finds records that may be larger than a dead letter, and its fix works", async () => {
    const settings = newSettings();
    await create(settings.KAFKA_TOPIC_EMAIL_EVENTS, {
      "retention.ms": "604800000",
      "max.message.bytes": "5000000",
    });
    await quietly(settings);
    const trouble = findTrouble((await look(settings)).findings, "kafka.record_size");
    expect(trouble).toMatchObject({ level: "warning" });
    expect(trouble.text).toContain("a larger dead letter keeps only its first 64 KiB");
    await follow(trouble.fix);
    expect((await look(settings)).troubles).not.toContain("kafka.record_size");
  });

  test("finds dead letters that may not fit their topic, and a single replica in production", async () => {
    const settings = newSettings();
    await create(settings.KAFKA_TOPIC_EMAIL_DLQ, { "max.message.bytes": "270000" }, 1);
    await quietly(settings);
    const { findings } = await look({ ...settings, APP_ENV: "production" });
    expect(findTrouble(findings, "kafka.record_size").text).toContain(
      "would keep only its first 64 KiB",
    );
    const replicas = findings.filter(({ check }) => check === "kafka.replicas");
    expect(replicas.map(({ text }) => text)).toEqual([
      expect.stringContaining(`${settings.KAFKA_TOPIC_EMAIL_EVENTS} has 1 of 2 replicas`),
      expect.stringContaining(`${settings.KAFKA_TOPIC_EMAIL_DLQ} has 1 of 2 replicas`),
    ]);
  });

  test("reports waiting events that nobody reads, and dead letters", async () => {
    const settings = newSettings();
    await quietly(settings);
    await using log = await openKafkaEventLog({ connection, log: silentLog });
    await publishTexts(log, settings.KAFKA_TOPIC_EMAIL_EVENTS, ["a", "b"]);
    await publishTexts(log, settings.KAFKA_TOPIC_EMAIL_DLQ, ["c"]);
    const { findings } = await look(settings);
    const lag = findTrouble(findings, "kafka.lag");
    expect(lag.text).toContain("No serve-email reads the events");
    expect(lag.text).toContain("2 events wait");
    expect(lag.fix).toBe("Start it: ./instant serve-email");
    expect(findTrouble(findings, "kafka.dead_letters").fix).toContain("replay-dlq");
    const [topic, group] = [settings.KAFKA_TOPIC_EMAIL_EVENTS, settings.KAFKA_CONSUMER_GROUP];
    await using reader = await EventLogReader.open(log, { topic, group });
    await reader.untilFinished(2);
    expect((await look(settings)).text).toContain("1 serve-email reads the events");
  });

  test("reports one unavailable broker of several, no broker at all, and a port that is not Kafka", async () => {
    const settings = newSettings();
    await quietly(settings);
    const some = await look({ ...settings, KAFKA_BROKERS: `${brokers},127.0.0.1:1` });
    expect(findTrouble(some.findings, "kafka.reachable").level).toBe("warning");
    const none = await look({ ...settings, KAFKA_BROKERS: "127.0.0.1:1" });
    expect(findTrouble(none.findings, "kafka.reachable")).toMatchObject({
      level: "fault",
      text: "Failed to connect to Kafka: nothing listens on 127.0.0.1:1",
    });
    const tls = await look({ ...settings, KAFKA_SSL: "true" });
    expect(findTrouble(tls.findings, "kafka.reachable").fix).toContain("KAFKA_SSL=false");
    await using web = Bun.serve({ port: 0, fetch: () => new Response("hello") });
    const notKafka = await look({ ...settings, KAFKA_BROKERS: `127.0.0.1:${web.port}` });
    expect(notKafka.findings).toEqual([
      {
        level: "fault",
        check: "kafka.reachable",
        text: `What answers on 127.0.0.1:${web.port} is not Kafka`,
        fix: "Check KAFKA_BROKERS",
      },
    ]);
  });

  test("finds a name that cannot be resolved, and a login that the port does not take", async () => {
    const unknown = await look({ KAFKA_BROKERS: "no-such-host.invalid:9092" });
    expect(findTrouble(unknown.findings, "kafka.reachable").text).toBe(
      "Failed to connect to Kafka: the name no-such-host.invalid cannot be resolved",
    );
    const login = { KAFKA_SASL_MECHANISM: "plain", KAFKA_SASL_USERNAME: "a" };
    const noLogin = await look({ KAFKA_BROKERS: brokers, ...login, KAFKA_SASL_PASSWORD: "b" });
    expect(findTrouble(noLogin.findings, "kafka.login").fix).toContain("KAFKA_SASL_MECHANISM=none");
  });
});

test("doctor finds servers that are not Kafka, whether they speak first or TLS", async () => {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.resume();
    socket.write("220 mail.example ESMTP\r\n");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const { key, cert } = testCertificates().good;
  await using web = Bun.serve({ port: 0, tls: { key, cert }, fetch: () => new Response("hello") });
  const [greets, speaksTls] = await Promise.all(
    [port, web.port].map((each) => examineWith({ KAFKA_BROKERS: `127.0.0.1:${each}` })),
  );
  expect(findTrouble(greets?.findings ?? [], "kafka.reachable").text).toEndWith("is not Kafka");
  expect(findTrouble(speaksTls?.findings ?? [], "kafka.reachable").fix).toBe("Set KAFKA_SSL=true");
  await new Promise((resolve) => server.close(resolve));
});
