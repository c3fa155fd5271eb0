import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { silentLog } from "../../src/core/log.ts";
import type { KafkaConnection } from "../../src/email/event-log/kafka/client.ts";
import { openKafkaEventLog } from "../../src/email/event-log/kafka/kafka.ts";
import type { OwnKafka } from "../../support/own-kafka.ts";
import { hasOwnKafka, openOwnKafka } from "../../support/own-kafka.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { newName, topicSpec } from "../contract/event-log-harness.ts";
import { EventLogReader, publishTexts } from "../support/event-logs.ts";

const user = "instant";
const password = "a-password-for-this-test";

/** A certificate for 127.0.0.1 that is its own authority, and its key. */
function makeCertificate(directory: string): {
  readonly certificate: string;
  readonly key: string;
} {
  const paths = { certificate: join(directory, "ca.pem"), key: join(directory, "key.pem") };
  const subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"];
  const files = ["-keyout", paths.key, "-out", paths.certificate];
  const made = Bun.spawnSync(
    [
      "openssl",
      "req",
      "-x509",
      "-newkey",
      "rsa:2048",
      "-nodes",
      "-days",
      "2",
      ...subject,
      ...files,
    ],
    { stderr: "pipe" },
  );
  if (made.exitCode !== 0) throw new Error(`openssl: ${made.stderr}`);
  return paths;
}

function oneLine(path: string): string {
  return readFileSync(path, "utf8").trim().replaceAll("\n", "\\n");
}

describe.skipIf(!hasOwnKafka())("a broker with TLS and logins", () => {
  const directory = temporaryDirectory();
  let kafka: OwnKafka | undefined;
  let caFile = "";

  beforeAll(async () => {
    const { certificate, key } = makeCertificate(directory.path);
    caFile = certificate;
    const login = `username="${user}" password="${password}"`;
    const modules = "org.apache.kafka.common.security";
    kafka = await openOwnKafka({
      protocol: "SASL_SSL",
      formatArgs: ["SHA-256", "SHA-512"].flatMap((digest) => [
        "--add-scram",
        `SCRAM-${digest}=[name=${user},password=${password}]`,
      ]),
      properties: {
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
        "listener.name.client.plain.sasl.jaas.config": `${modules}.plain.PlainLoginModule required ${login} user_${user}="${password}";`,
        "listener.name.client.scram-sha-256.sasl.jaas.config": `${modules}.scram.ScramLoginModule required;`,
        "listener.name.client.scram-sha-512.sasl.jaas.config": `${modules}.scram.ScramLoginModule required;`,
        "ssl.keystore.type": "PEM",
        "ssl.keystore.certificate.chain": oneLine(certificate),
        "ssl.keystore.key": oneLine(key),
      },
    });
  }, 60_000);

  afterAll(async () => {
    await kafka?.[Symbol.asyncDispose]();
    directory[Symbol.dispose]();
  });

  function open(changes: Partial<KafkaConnection> = {}) {
    const connection: KafkaConnection = {
      brokers: [kafka?.brokers ?? ""],
      ssl: true,
      caFile,
      sasl: { mechanism: "plain", username: user, password },
      ...changes,
    };
    return openKafkaEventLog({ connection, log: silentLog });
  }

  for (const mechanism of ["plain", "scram-sha-256", "scram-sha-512"] as const) {
    test(`a record goes out and comes back with ${mechanism}`, async () => {
      await using log = await open({ sasl: { mechanism, username: user, password } });
      const { topic } = topicSpec(newName("topic"));
      await log.createTopics([topicSpec(topic)], { grow: false });
      await publishTexts(log, topic, ["a"]);
      await using reader = await EventLogReader.open(log, { topic, group: newName("group") });
      expect(await reader.untilFinished(1)).toEqual(["a"]);
    });
  }

  test("a wrong password is refused in words, and not for ever", async () => {
    const sasl = { mechanism: "scram-sha-256", username: user, password: "wrong" } as const;
    await using log = await open({ sasl });
    const listing = log.offsets("topic");
    await expect(listing).rejects.toMatchObject({ code: "kafka_access_denied" });
    const publishing = publishTexts(log, "topic", ["a"]);
    await expect(publishing).rejects.toMatchObject({ code: "log_unavailable" });
    await expect(publishing).rejects.toThrow("denied");
  });

  test("a certificate of an unknown authority is refused, and the error says so", async () => {
    await using log = await open({ caFile: undefined });
    await expect(log.ping({ deadlineMs: 10_000 })).rejects.toThrow(/certificate/i);
  });
});

test("a CA file that is not there is a configuration error", async () => {
  const connection = { brokers: ["a:1"], ssl: true, caFile: "/nowhere/ca.pem", sasl: undefined };
  const opening = openKafkaEventLog({ connection, log: silentLog });
  await expect(opening).rejects.toMatchObject({ code: "config_invalid" });
});
