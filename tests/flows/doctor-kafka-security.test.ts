import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import tls from "node:tls";
import type { AclEntry, AclOperationTypes } from "kafkajs";
import { AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } from "kafkajs";
import { silentLog } from "../../src/core/log.ts";
import { AdminSession } from "../../src/email/event-log/kafka/admin-session.ts";
import { createKafkaClient } from "../../src/email/event-log/kafka/client.ts";
import type { OwnKafka } from "../../support/own-kafka.ts";
import { hasOwnKafka, openOwnKafka } from "../../support/own-kafka.ts";
import { testCertificates } from "../../support/smtp-sink/listener.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { examineWith, findTrouble, troubles } from "../support/doctor.ts";

const { authority, good, expired } = testCertificates();
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
  async function follow(mend: string | undefined): Promise<void> {
    const [, principal = "", operation = "", kind = "", resourceName = ""] =
      /--allow-principal (\S+) --operation (\w+) --(topic|group) (\S+)$/.exec(mend ?? "") ?? [];
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

  async function asChief(act: Parameters<AdminSession["call"]>[1]): Promise<void> {
    const sasl = { mechanism: "plain", username: "chief", password: passwords.chief } as const;
    const connection = { brokers: [kafka?.brokers ?? ""], ssl: true, caFile, sasl };
    const client = createKafkaClient({ connection, log: silentLog, patience: "quick" });
    const session = new AdminSession(client);
    await session.call("acting", act);
    await session.close();
  }

  test("finds a wrong password, and shows none", async () => {
    const found = await look("chief", { KAFKA_SASL_PASSWORD: passwords.limited });
    expect(findTrouble(found, "kafka.login")).toMatchObject({
      level: "fault",
      mend: "Check KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD and KAFKA_SASL_MECHANISM",
    });
  });

  test("finds an unknown authority, a missing login and missing TLS", async () => {
    const unknown = await look("chief", { KAFKA_CA_FILE: "" });
    expect(findTrouble(unknown, "kafka.reachable").fix).toContain("KAFKA_CA_FILE");
    const noLogin = await look("chief", { KAFKA_SASL_MECHANISM: "none" });
    expect(findTrouble(noLogin, "kafka.login").fix).toContain("KAFKA_SASL_MECHANISM");
    const noTls = await look("chief", { KAFKA_CA_FILE: "", KAFKA_SSL: "false" });
    expect(findTrouble(noTls, "kafka.reachable").fix).toContain("KAFKA_SSL=true");
  });

  test("finds each right that is denied, and its mends mend it", async () => {
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
    for (const { fix: mend } of partly) await follow(mend);
    const after = await look("limited");
    expect(after.filter(({ check }) => check === "kafka.rights")).toMatchObject([{ level: "ok" }]);
    expect(troubles(after)).not.toContain("kafka.topic");
    expect(findTrouble(after.slice(0, -1), "kafka.certificate").text).toContain("1 more day");
    expect(after.filter(({ check }) => check === "kafka.settings")[0]?.fix).toContain(
      "DescribeConfigs",
    );
  });

  test("finds a certificate that has expired", async () => {
    const server = tls.createServer({ key: expired.key, cert: expired.cert });
    server.on("tlsClientError", () => {});
    server.on("secureConnection", (socket) => socket.on("error", () => {}));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const found = await look("chief", { KAFKA_BROKERS: `127.0.0.1:${port}` });
    expect(findTrouble(found, "kafka.reachable")).toMatchObject({
      text: `The certificate of 127.0.0.1:${port} has expired`,
      mend: "Renew the broker's certificate",
    });
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
  test("finds the address that nobody can reach", async () => {
    const properties = { "advertised.listeners": "CLIENT://127.0.0.1:1,INNER://127.0.0.1:2" };
    await using kafka = await openOwnKafka({ properties });
    const { findings } = await examineWith({ KAFKA_BROKERS: kafka.brokers });
    const { text, fix: mend } = findTrouble(findings, "kafka.advertised");
    expect(text).toContain("127.0.0.1:1");
    expect(mend).toContain("advertised.listeners");
  }, 60_000);
});
