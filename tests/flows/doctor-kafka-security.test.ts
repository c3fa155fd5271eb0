import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import tls from "node:tls";
import type { AclEntry, AclOperationTypes, Admin } from "kafkajs";
import { AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } from "kafkajs";
import { silentLog } from "../../src/core/log.ts";
import { AdminSession } from "../../src/email/event-log/kafka/admin.ts";
import { createKafkaClient } from "../../src/email/event-log/kafka/client.ts";
import { eventually } from "../../support/eventually.ts";
import type { OwnKafka } from "../../support/own-kafka.ts";
import { hasOwnKafka, openOwnKafka } from "../../support/own-kafka.ts";
import { testCertificates } from "../../support/smtp-sink/listener.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { examineWith, findTrouble, troubles } from "../support/doctor.ts";

const { authority, good, otherName, expired } = testCertificates();
const passwords = { chief: "the-password-of-the-chief", limited: "the-password-of-the-limited" };
const directory = temporaryDirectory();
const caFile = join(directory.path, "ca.pem");
writeFileSync(caFile, authority);
afterAll(() => directory[Symbol.dispose]());

describe.skipIf(!hasOwnKafka())("doctor at a Kafka with TLS, logins and ACLs", () => {
  let kafka: OwnKafka | undefined;

  beforeAll(async () => {
    const users = Object.entries(passwords).map(([user, word]) => `user_${user}="${word}"`);
    const modules = "org.apache.kafka.common.security";
    kafka = await openOwnKafka({
      protocol: "SASL_SSL",
      properties: {
        "sasl.enabled.mechanisms": "PLAIN",
        "listener.name.client.plain.sasl.jaas.config": `${modules}.plain.PlainLoginModule required ${users.join(" ")};`,
        "ssl.keystore.type": "PEM",
        "ssl.keystore.certificate.chain": good.cert.trim().replaceAll("\n", "\\n"),
        "ssl.keystore.key": good.key.trim().replaceAll("\n", "\\n"),
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS;User:chief",
      },
    });
  }, 60_000);
  afterAll(async () => {
    await kafka?.[Symbol.asyncDispose]();
  });

  async function look(
    user: keyof typeof passwords,
    changes: Readonly<Record<string, string>> = {},
  ) {
    const examined = await examineWith({
      KAFKA_BROKERS: kafka?.brokers ?? "",
      KAFKA_SSL: "true",
      KAFKA_CA_FILE: caFile,
      KAFKA_SASL_MECHANISM: "plain",
      KAFKA_SASL_USERNAME: user,
      KAFKA_SASL_PASSWORD: passwords[user],
      ...changes,
    });
    for (const word of Object.values(passwords)) expect(examined.text).not.toContain(word);
    return examined.findings.filter(({ check }) => /^(?:kafka|doctor)\./.test(check));
  }

  /** What kafka-acls.sh does with these arguments. */
  async function follow(fix: string | undefined): Promise<void> {
    const [, principal = "", operation = "", kind = "", resourceName = ""] =
      /--allow-principal (\S+) --operation (\w+) --(topic|group) (\S+)$/.exec(fix ?? "") ?? [];
    const operations = { Read: 3, Write: 4, Describe: 8 } as const;
    const entry: AclEntry = {
      principal,
      host: "*",
      operation: (operations[operation as "Read"] ?? 0) as AclOperationTypes,
      permissionType: AclPermissionTypes.ALLOW,
      resourceName,
      resourceType: kind === "group" ? AclResourceTypes.GROUP : AclResourceTypes.TOPIC,
      resourcePatternType: ResourcePatternTypes.LITERAL,
    };
    await asChief((admin) => admin.createAcls({ acl: [entry] }));
  }

  async function asChief<T>(act: (admin: Admin) => Promise<T>): Promise<T> {
    const sasl = { mechanism: "plain", username: "chief", password: passwords.chief } as const;
    const connection = { brokers: [kafka?.brokers ?? ""], ssl: true, caFile, sasl };
    const client = createKafkaClient({ connection, log: silentLog, patience: "quick" });
    const session = new AdminSession(client);
    try {
      return await session.call("acting", act);
    } finally {
      await session.close();
    }
  }

  test("finds a wrong password, and shows none, and a mechanism that it does not take", async () => {
    const found = await look("chief", { KAFKA_SASL_PASSWORD: passwords.limited });
    expect(findTrouble(found, "kafka.login")).toMatchObject({
      level: "fault",
      fix: "Check KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD and KAFKA_SASL_MECHANISM",
    });
    const scram = await look("chief", { KAFKA_SASL_MECHANISM: "scram-sha-256" });
    expect(findTrouble(scram, "kafka.login").text).toContain("SASL mechanism");
  });

  test("finds an unknown authority, a missing login and missing TLS", async () => {
    const unknown = await look("chief", { KAFKA_CA_FILE: "" });
    expect(findTrouble(unknown, "kafka.reachable").fix).toContain("KAFKA_CA_FILE");
    const noLogin = await look("chief", { KAFKA_SASL_MECHANISM: "none" });
    expect(findTrouble(noLogin, "kafka.login").fix).toContain("KAFKA_SASL_MECHANISM");
    const noTls = await look("chief", { KAFKA_CA_FILE: "", KAFKA_SSL: "false" });
    expect(findTrouble(noTls, "kafka.reachable").fix).toContain("KAFKA_SSL=true");
  });

  test("finds each right that is denied, and its fixes work", async () => {
    await asChief((admin) =>
      admin.createTopics({
        topics: ["email-events", "email-events-dlq"].map((topic) => ({
          topic,
          numPartitions: topic === "email-events" ? 3 : 1,
          configEntries: [{ name: "max.message.bytes", value: "1114124" }],
        })),
      }),
    );
    const denied = (await look("limited")).filter(({ check }) => check === "kafka.rights");
    expect(denied.map(({ text }) => text)).toEqual([
      "This user may not Read the topic email-events",
      "This user may not Write the topic email-events",
      "This user may not Read the topic email-events-dlq",
      "This user may not Write the topic email-events-dlq",
      "This user may not Read the group email-service-group",
    ]);
    await follow(denied[0]?.fix); // now the topic may be seen, and not written to
    const partly = (await look("limited")).filter(({ check }) => check === "kafka.rights");
    expect(partly.map(({ text }) => text)).toEqual(denied.slice(1).map(({ text }) => text));
    for (const { fix } of partly) await follow(fix);
    const after = await look("limited");
    expect(after.filter(({ check }) => check === "kafka.rights")).toMatchObject([{ level: "ok" }]);
    expect(troubles(after)).not.toContain("kafka.topic");
    expect(findTrouble(after.slice(0, -1), "kafka.certificate").text).toContain("expires in 1 day");
    expect(after.filter(({ check }) => check === "kafka.settings")[0]?.fix).toContain(
      "DescribeConfigs",
    );
    for (const topic of ["email-events", "email-events-dlq"]) {
      const offsets = await asChief((admin) => admin.fetchTopicOffsets(topic));
      expect(offsets.map(({ high }) => high)).not.toContain("1"); // tried, and not written
    }
    expect((await asChief((admin) => admin.listGroups())).groups).toEqual([]);
  });

  test.each([
    ["has expired", expired, "Renew the broker's certificate"],
    ["is not trusted (ERR_TLS_CERT_ALTNAME_INVALID)", otherName, "use a name of the certificate"],
  ])("finds a certificate that %s", async (fault, { key, cert }, remedy) => {
    const server = tls.createServer({ key, cert });
    server.on("tlsClientError", () => {});
    server.on("secureConnection", (socket) => socket.on("error", () => {}));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const found = await look("chief", { KAFKA_BROKERS: `127.0.0.1:${port}` });
    const { text, fix } = findTrouble(found, "kafka.reachable");
    expect(text).toBe(`The certificate of 127.0.0.1:${port} ${fault}`);
    expect(fix).toContain(remedy);
    await new Promise((resolve) => server.close(resolve));
  });
});

test("doctor finds a port that accepts and says nothing, in time", async () => {
  const server = createServer((socket) => socket.on("error", () => {}));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const silent = `127.0.0.1:${port}`;
  const startedAt = performance.now();
  const { findings } = await examineWith({
    KAFKA_BROKERS: silent,
    REDIS_ADDR: silent,
    DATABASE_URL: `postgres://u:p@${silent}/d`,
    EMAIL_MODE: "smtp",
    SMTP_HOST: "127.0.0.1",
    SMTP_PORT: String(port),
    SMTP_FROM: "noreply@doctor.invalid",
  });
  expect(performance.now() - startedAt).toBeLessThan(9_500);
  expect(troubles(findings)).toEqual(
    expect.arrayContaining(["kafka.reachable", "redis.reachable", "postgres.reachable"]),
  );
  expect(findTrouble(findings, "smtp.timeout").fix).toContain("SMTP_PORT");
  server.close();
});

describe.skipIf(!hasOwnKafka())("doctor at a Kafka that sends its clients elsewhere", () => {
  const web = Bun.serve({ port: 0, fetch: () => new Response("hello") });
  afterAll(() => web.stop());

  test.each([
    ["nobody listens", "127.0.0.1:1"],
    ["another server listens", `127.0.0.1:${web.port}`],
  ])(
    "finds the address where %s",
    async (_, advertised) => {
      const listeners = `CLIENT://${advertised},INNER://127.0.0.1:2`;
      await using kafka = await openOwnKafka({ properties: { "advertised.listeners": listeners } });
      const { findings } = await examineWith({ KAFKA_BROKERS: kafka.brokers });
      const { text, fix } = findTrouble(findings, "kafka.advertised");
      expect(text).toBe(`The cluster sends clients to ${advertised}, where no broker answers`);
      expect(fix).toContain("advertised.listeners");
    },
    60_000,
  );
});

describe.skipIf(!hasOwnKafka())("doctor at a cluster that lost a broker", () => {
  test("finds too few replicas in sync, and a partition without a leader", async () => {
    await using kafka = await openOwnKafka();
    await using second = await openOwnKafka({ joins: kafka.cluster });
    const connection = { brokers: [kafka.brokers], ssl: false, caFile: undefined, sasl: undefined };
    const session = new AdminSession(
      createKafkaClient({ connection, log: silentLog, patience: "quick" }),
    );
    const create = (topic: string, replicas: number[]) => {
      const configEntries = [{ name: "min.insync.replicas", value: String(replicas.length) }];
      const replicaAssignment = [{ partition: 0, replicas }];
      return session.call("creating", (admin) =>
        admin.createTopics({
          topics: [{ topic, configEntries, replicaAssignment }],
          waitForLeaders: false,
        }),
      );
    };
    const untilFault = (text: string) =>
      eventually(text, async () => {
        const { findings } = await examineWith({ KAFKA_BROKERS: kafka.brokers });
        return findings.find((each) => each.level === "fault" && each.text.includes(text));
      });
    await create("email-events", [1, 2]);
    await second.stop();
    const { check } = await untilFault("email-events has 1 of 2 replicas in sync: nothing can be");
    expect(check).toBe("kafka.replicas");
    await second.start();
    await eventually("the second is back", () => create("another-topic", [2]).catch(() => false));
    await second.stop();
    const { fix } = await untilFault("a partition without a leader");
    expect(fix).toContain("--unavailable-partitions");
    await session.close();
  }, 60_000);
});
