import { expect, test } from "bun:test";
import { resolve } from "node:path";
import { parseUrlAddress } from "../../support/engines/server.ts";
import { ServerRecords } from "../../support/engines/state.ts";
import { bringUp, endServer, isAlive, recipes, wipeServer } from "../../support/engines/up.ts";
import { findEngine } from "../../support/engines.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

const kafka = findEngine("kafka");
const redis = findEngine("redis");
const repository = resolve(import.meta.dir, "../..");
const script = resolve(repository, "scripts/init-kafka-topics.sh");

/** scripts/servers with records of its own; whatever it started is gone when the scope ends. */
function openServers(environment: Record<string, string> = {}) {
  const directory = temporaryDirectory();
  const records = new ServerRecords(directory.path);
  const said: string[] = [];
  const say = (line: string) => said.push(line);
  return {
    records,
    said,
    up: () => bringUp("redis", { repository, records, environment, print: say }),
    [Symbol.asyncDispose]: async () => {
      const left = records.find("redis");
      if (left !== undefined) await endServer(left, records);
      directory[Symbol.dispose]();
    },
  };
}

test.skipIf(redis === undefined)(
  "up starts a server once, down stops it, wipe removes its data",
  async () => {
    await using servers = openServers();
    const first = await servers.up();
    const second = await servers.up();
    expect(second).toEqual(first);
    expect(parseUrlAddress(first.variables["REDIS_URL"] ?? "", 0).host).toBe("127.0.0.1");
    await endServer(first, servers.records);
    expect(await isAlive(first)).toBe(false);
    expect(await recipes.redis.answers(first.variables)).toBe(false);
    expect(servers.records.find("redis")).toBeUndefined();
    wipeServer("redis", servers.records);
  },
);

test.skipIf(redis === undefined)("a server that died is started again by the next up", async () => {
  await using servers = openServers();
  const first = await servers.up();
  if (first.origin.kind === "process") process.kill(first.origin.process.pid, "SIGKILL");
  const second = await servers.up();
  expect(second.origin).not.toEqual(first.origin);
  expect(await recipes.redis.answers(second.variables)).toBe(true);
});

test.skipIf(redis === undefined)(
  "a server that the environment points to is used and never stopped",
  async () => {
    await using servers = openServers({ REDIS_URL: redis ?? "" });
    const given = await servers.up();
    expect(given).toEqual({
      name: "redis",
      variables: { REDIS_URL: redis ?? "" },
      origin: { kind: "given" },
    });
    await endServer(given, servers.records);
    expect(await recipes.redis.answers(given.variables)).toBe(true);
  },
);

test.skipIf(redis === undefined)(
  "an address where nothing answers is reported, and a server of our own is used",
  async () => {
    await using servers = openServers({ REDIS_URL: "redis://:secret@127.0.0.1:1/0" });
    const server = await servers.up();
    expect(server.origin.kind).not.toBe("given");
    const said = servers.said.join("\n");
    expect(said).toContain("REDIS_URL=redis://…@127.0.0.1:1/0 does not answer");
    expect(said).not.toContain("secret");
  },
);

/** The lines after "Creating topics...", for topics of this test's own. */
async function createTopics(name: string, partitions: number, ...parameters: string[]) {
  const child = Bun.spawn([script, ...parameters], {
    env: {
      ...process.env,
      ...(process.env["TEST_KAFKA_LIBS"] ? { KAFKA_LIBS: process.env["TEST_KAFKA_LIBS"] } : {}),
      KAFKA_BROKERS: kafka ?? "",
      KAFKA_TOPIC_EMAIL_EVENTS: name,
      KAFKA_TOPIC_EMAIL_DLQ: `${name}-dlq`,
      KAFKA_TOPIC_PARTITIONS: String(partitions),
    },
    stderr: "inherit",
  });
  const output = await new Response(child.stdout).text();
  expect(await child.exited).toBe(0);
  return output.slice(output.indexOf("Creating topics...")).trim().split("\n").slice(1);
}

test.skipIf(kafka === undefined)(
  "Kafka's own tools create the topics, verify them, and grow them when asked",
  async () => {
    const name = `init-${crypto.randomUUID()}`;
    expect(await createTopics(name, 3)).toEqual([
      `✓ Topic '${name}' created successfully`,
      `✓ Topic '${name}-dlq' created successfully`,
    ]);
    expect(await createTopics(name, 5)).toEqual([
      `✓ Topic '${name}' already exists (3 partitions)`,
      "  ! has 3 partitions instead of 5",
      `✓ Topic '${name}-dlq' already exists (1 partition)`,
    ]);
    expect(await createTopics(name, 5, "--grow")).toEqual([
      `✓ Topic '${name}' grown to 5 partitions`,
      `✓ Topic '${name}-dlq' already exists (1 partition)`,
    ]);
  },
  60_000,
);
