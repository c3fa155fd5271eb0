import { expect, test } from "bun:test";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { temporaryDirectory } from "../../../support/temporary-directory.ts";

const script = resolve(import.meta.dir, "../../../scripts/init-kafka-topics.sh");

/** Runs the script with a tool that only writes down how it was called and with which settings. */
function run(environment: Record<string, string>, parameters: readonly string[] = []) {
  using directory = temporaryDirectory();
  const calls = join(directory.path, "calls");
  mkdirSync(join(directory.path, "bin"));
  const tool = join(directory.path, "bin", "kafka-topics.sh");
  writeFileSync(tool, `#!/bin/bash\necho "$*" >>${calls}\ncat "$4" >${calls}.settings\n`);
  chmodSync(tool, 0o755);
  const ran = Bun.spawnSync([script, ...parameters], {
    env: { PATH: process.env["PATH"] ?? "", KAFKA_HOME: directory.path, ...environment },
  });
  const read = (path: string) => (ran.success ? readFileSync(path, "utf8").trim().split("\n") : []);
  return {
    code: ran.exitCode,
    output: ran.stdout.toString(),
    calls: read(calls).map((call) => call.replace(/--command-config \S+ /, "")),
    settings: read(`${calls}.settings`),
  };
}

test("both topics are created with the partitions, retention and sizes of create-topics", () => {
  const { calls, output } = run({ KAFKA_BROKERS: "a:1,b:2", KAFKA_TOPIC_PARTITIONS: "10" });
  expect(calls).toEqual([
    "--bootstrap-server a:1,b:2 --list",
    "--bootstrap-server a:1,b:2 --create --topic email-events --partitions 10 --replication-factor 1 --config retention.ms=604800000 --config max.message.bytes=1048588",
    "--bootstrap-server a:1,b:2 --create --topic email-events-dlq --partitions 1 --replication-factor 1 --config retention.ms=2592000000 --config max.message.bytes=1114124",
  ]);
  expect(output).toContain("✓ Topic 'email-events' created successfully\n");
});

test("TLS and a login reach the tool through a file", () => {
  const { settings, calls } = run({
    KAFKA_SSL: "true",
    KAFKA_CA_FILE: "/etc/ca.pem",
    KAFKA_SASL_MECHANISM: "scram-sha-512",
    KAFKA_SASL_USERNAME: "u",
    KAFKA_SASL_PASSWORD: "p",
  });
  expect(settings).toContain("security.protocol=SASL_SSL");
  expect(settings).toContain("sasl.mechanism=SCRAM-SHA-512");
  expect(settings).toContain("ssl.truststore.location=/etc/ca.pem");
  expect(settings.join("\n")).toContain(`required username="u" password="p";`);
  expect(calls.join("\n")).not.toContain("SCRAM");
});

test("an unknown flag is exit 2", () => {
  expect(run({}, ["--shrink"]).code).toBe(2);
});
