import { describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import { describeRun } from "../../../support/engines/docker.ts";
import {
  answersRedis,
  choosePort,
  endProcess,
  isRunning,
  parseAddress,
  parseUrlAddress,
  startDetached,
} from "../../../support/engines/server.ts";
import { withLock } from "../../../support/engines/state.ts";
import { eventually } from "../../../support/eventually.ts";
import { temporaryDirectory } from "../../../support/temporary-directory.ts";

/** A server on a free port that answers every connection with `reply`; none: it stays silent. */
async function listen(reply: string | undefined) {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => reply && socket.end(reply));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" ? (address?.port ?? 0) : 0;
  return { port, [Symbol.dispose]: () => server.close() };
}

describe("addresses", () => {
  test("a broker list, an address without a port and IPv6 are understood", () => {
    expect(parseAddress("a:1,b:2", 9092)).toEqual({ host: "a", port: 1 });
    expect(parseAddress("a", 9092)).toEqual({ host: "a", port: 9092 });
    expect(parseAddress("[::1]:7", 9092)).toEqual({ host: "::1", port: 7 });
    expect(parseUrlAddress("redis://u:p@h/0", 6379)).toEqual({ host: "h", port: 6379 });
  });
});

describe("answers", () => {
  test("a server of another kind, and a closed port, do not answer", async () => {
    using other = await listen("HTTP/1.1 400 Bad Request\r\n\r\n");
    expect(await answersRedis({ host: "127.0.0.1", port: other.port })).toBe(false);
    expect(await answersRedis({ host: "127.0.0.1", port: await choosePort(0) })).toBe(false);
  });

  test("a Redis that wants a password answers", async () => {
    using redis = await listen("-NOAUTH Authentication required.\r\n");
    expect(await answersRedis({ host: "127.0.0.1", port: redis.port })).toBe(true);
  });
});

describe("ports", () => {
  test("the usual port is taken when it is free, else another one", async () => {
    const free = await choosePort(0);
    expect(await choosePort(free)).toBe(free);
    using taken = await listen(undefined);
    expect(await choosePort(taken.port)).not.toBe(taken.port);
  });
});

describe("processes", () => {
  test("a started process runs until it is ended, and another one with its pid is left alone", async () => {
    using directory = temporaryDirectory();
    const log = join(directory.path, "log");
    const mark = startDetached(["sleep", "60"], { log, directory: directory.path });
    expect(isRunning(mark)).toBe(true);
    await endProcess({ ...mark, begun: "another" }, { signal: "SIGTERM", graceMs: 5_000 });
    expect(isRunning(mark)).toBe(true);
    expect(await endProcess(mark, { signal: "SIGTERM", graceMs: 5_000 })).toBe(true);
    expect(isRunning(mark)).toBe(false);
  });

  test("one that does not end when asked is killed", async () => {
    using directory = temporaryDirectory();
    const log = join(directory.path, "log");
    const deaf = ["bash", "-c", "trap '' TERM; touch ready; while :; do sleep 0.05; done"];
    const mark = startDetached(deaf, { log, directory: directory.path });
    await eventually("it is deaf", () => existsSync(join(directory.path, "ready")));
    expect(await endProcess(mark, { signal: "SIGTERM", graceMs: 100 })).toBe(false);
    await eventually("it is gone", () => !isRunning(mark));
  });

  test("a program that does not exist throws", () => {
    using directory = temporaryDirectory();
    const options = { log: join(directory.path, "log"), directory: directory.path };
    expect(() => startDetached(["no-such-program-here"], options)).toThrow();
  });
});

describe("the lock", () => {
  test("two that want it run one after the other", async () => {
    using directory = temporaryDirectory();
    const path = join(directory.path, "lock");
    const steps: string[] = [];
    const act = (name: string) =>
      withLock(path, async () => {
        steps.push(`${name} in`);
        await Bun.sleep(5);
        steps.push(`${name} out`);
      });
    await Promise.all([act("a"), act("b")]);
    expect(steps).toEqual(["a in", "a out", "b in", "b out"]);
  });

  test("a lock whose owner is gone is taken over", async () => {
    using directory = temporaryDirectory();
    const path = join(directory.path, "lock");
    const gone = Bun.spawnSync(["true"]).pid;
    writeFileSync(path, String(gone));
    expect(await withLock(path, async () => "in")).toBe("in");
  });
});

describe("docker", () => {
  test("a container listens on the loopback address only", () => {
    const plan = {
      image: "redis:7",
      port: 6379,
      environment: { A: "b" },
      command: ["x"],
      variables: {},
    };
    expect(describeRun("c", 7000, plan).join(" ")).toBe(
      "docker run --detach --name c --publish 127.0.0.1:7000:6379 --env A=b redis:7 x",
    );
  });
});

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

test("an unknown flag exits with 2", () => {
  expect(run({}, ["--shrink"]).code).toBe(2);
});
