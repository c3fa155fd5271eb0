import { describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { examples } from "../../src/commands/examples.ts";
import { renderHelps } from "../../src/commands/help.ts";
import { choosePort } from "../../support/engines/server.ts";
import { findEngine } from "../../support/engines.ts";
import { eventually } from "../../support/eventually.ts";
import { InstantProcess, runInstant } from "../../support/instant-process.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

const program = findEngine("instant") ?? "";
const kafka = findEngine("kafka");

describe.skipIf(program === "")("the built program", () => {
  test("lists its commands in an empty directory, and leaves no files", async () => {
    using directory = temporaryDirectory();
    const { exitCode, stdout } = await runInstant(["--help"], { directory: directory.path });
    expect(exitCode).toBe(0);
    for (const name of ["serve-auth", "serve-email", "create-topics", "replay-dlq", "dev"]) {
      expect(stdout).toContain(name);
    }
    expect(readdirSync(directory.path)).toEqual([]);
  });

  test.each([
    [["serve-emial"], "Did you mean serve-email?"],
    [["serve-email", "--port", "1"], "unknown option '--port'"],
    [["create-topics", "--gro"], "Did you mean --grow?"],
    [["replay-dlq", "--limit", "0"], "--limit must be a whole number from 1"],
    [
      ["replay-dlq", "--from-offset", "x", "--class", "y"],
      "--class must be one or more of malformed",
    ],
    [["--env-file", "/none", "serve-auth"], "--env-file /none cannot be read"],
  ])("ends %j with exit code 2 and a hint", async (parameters, words) => {
    using directory = temporaryDirectory();
    const { exitCode, stderr } = await runInstant(parameters, { directory: directory.path });
    expect(exitCode).toBe(2);
    expect(stderr).toContain(words);
  });

  test("names every bad variable at once, with exit code 2", async () => {
    using directory = temporaryDirectory();
    const environment = { KAFKA_BROKERS: "nope", REDIS_DB: "x", EMAIL_MODE: "smtp" };
    const options = { directory: directory.path, environment };
    const { exitCode, stderr } = await runInstant(["serve-email"], options);
    expect(exitCode).toBe(2);
    expect(stderr.match(/^ {2}[A-Z_]+/gm)?.map((name) => name.trim())).toEqual([
      "KAFKA_BROKERS",
      "REDIS_DB",
      "SMTP_HOST",
      "SMTP_FROM",
    ]);
  });

  test("in production names each engine and secret that it needs", async () => {
    using directory = temporaryDirectory();
    const environment = { APP_ENV: "production", ENABLE_KAFKA: "false" };
    const options = { directory: directory.path, environment };
    const { exitCode, stderr } = await runInstant(["serve-auth"], options);
    expect(exitCode).toBe(2);
    for (const name of ["REDIS_URL", "DATABASE_URL", "AUTH_SECRET", "EMAIL_SECRET", "EMAIL_MODE"]) {
      expect(stderr).toContain(`${name} must be`);
    }
    expect(stderr).not.toContain("KAFKA_BROKERS");
    expect(readdirSync(directory.path)).toEqual([]);
  });

  test("reads no .env and no bunfig from where it runs, unless asked", async () => {
    using directory = temporaryDirectory();
    writeFileSync(join(directory.path, ".env"), "KAFKA_TOPIC_PARTITIONS=7\n");
    writeFileSync(join(directory.path, "bunfig.toml"), 'preload = ["./evil.ts"]\n');
    writeFileSync(join(directory.path, "evil.ts"), "process.exit(66);\n");
    const options = { directory: directory.path };
    const unasked = await runInstant(["create-topics"], options);
    expect([unasked.exitCode, unasked.stdout]).toEqual([
      0,
      expect.stringContaining("Partitions: 3"),
    ]);
    const asked = await runInstant(["--env-file", ".env", "create-topics"], options);
    expect(asked.stdout).toContain("Partitions: 7");
  });

  test("makes its files readable by its own user only", async () => {
    using directory = temporaryDirectory();
    await runInstant(["create-topics"], { directory: directory.path });
    const data = join(directory.path, ".instant");
    expect(statSync(data).mode & 0o777).toBe(0o700);
    expect(statSync(join(data, "events.sqlite")).mode & 0o777).toBe(0o600);
  });

  test.each(["serve-email", "serve-auth", "dev"])(
    "does not start %s on a broken template, and says where it is broken",
    async (command) => {
      using directory = temporaryDirectory();
      mkdirSync(join(directory.path, "templates"));
      const write = (name: string, text: string) =>
        writeFileSync(join(directory.path, "templates", name), text);
      write("welcome.subject.txt", "Hello");
      write("welcome.html", "<p>\n\nHello {{usrname}}</p>");
      write("welcome.txt", "Hello {{#username}}");
      const environment = {
        TEMPLATE_DIR: "templates",
        AUTH_SERVICE_PORT: "0",
        EMAIL_SERVICE_PORT: "0",
      };
      const ended = await runInstant([command], { directory: directory.path, environment });
      expect(ended.exitCode).toBe(2);
      expect(ended.stderr).toContain("TEMPLATE_DIR welcome.html:3 uses an unknown value, usrname");
      expect(ended.stderr).toContain(
        "TEMPLATE_DIR welcome.txt:1 is not Mustache: unclosed section",
      );
    },
  );

  test("refuses a preview port that is not a port", async () => {
    using directory = temporaryDirectory();
    const ended = await runInstant(["preview", "--port", "x"], { directory: directory.path });
    expect(ended.exitCode).toBe(2);
    expect(ended.stderr).toContain("--port must be 0 to 65535");
  });
});

/** Every command of the program, with its parents: "suppressions list". */
const commands = [
  ...readFileSync("src/commands/program.ts", "utf8").matchAll(
    /^(\w+)\n {2}\.command\("([a-z-]+)"\)/gm,
  ),
].map(([, parent, name]) => (parent === "program" ? name : `${parent} ${name}`) ?? "");

async function helpOf(command: string): Promise<string> {
  using directory = temporaryDirectory();
  const words = [...command.split(" ").filter(Boolean), "--help"];
  const { exitCode, stdout } = await runInstant(words, { directory: directory.path });
  expect(exitCode).toBe(0);
  return stdout;
}

describe.skipIf(program === "")("--help", () => {
  test.each(["", ...commands])(
    "of %p has examples with commands and options that exist",
    async (command) => {
      const help = await helpOf(command);
      const own = `instant ${command}`.trim();
      const shown = [...help.matchAll(/^ {2}\$ (.+)$/gm)].map(([, example]) => example ?? "");
      expect(shown).toEqual([...(examples[own] ?? [])]);
      expect(shown.length).toBeGreaterThan(0);
      for (const example of shown) {
        for (const word of own.split(" ")) expect(example).toContain(word);
        const options = example.match(/ --[a-z-]+/g) ?? [];
        const known = `${help} --env-file --help`;
        for (const option of options) expect(known).toContain(option.trim());
      }
    },
  );

  test("is what commander prints, to the byte", async () => {
    const helps = renderHelps();
    expect(Object.keys(helps)).toEqual(expect.arrayContaining(["", ...commands]));
    for (const command of ["", ...commands]) {
      expect(await helpOf(command)).toBe(helps[command] ?? "");
    }
    using directory = temporaryDirectory();
    const { stdout } = await runInstant(["help", "replay-dlq"], { directory: directory.path });
    expect(stdout).toBe(helps["replay-dlq"] ?? "");
  });

  test("has no colour in a pipe", async () => {
    expect(await helpOf("")).not.toContain("\x1b[");
  });
});

test("the commands are found", () => {
  expect(commands).toContain("suppressions list");
  expect(commands.length).toBeGreaterThan(10);
});

const ports = { AUTH_SERVICE_PORT: "0", EMAIL_SERVICE_PORT: "0" };

test.skipIf(program === "")(
  "LOG_FORMAT=pretty prints readable lines, and a mistyped variable is warned of",
  async () => {
    using directory = temporaryDirectory();
    await using service = new InstantProcess(["serve-email"], {
      program,
      directory: directory.path,
      environment: { ...ports, LOG_FORMAT: "pretty", KAFKA_BROKER: "localhost:9092" },
    });
    const warning =
      /WARN {2}email-service KAFKA_BROKER is set, but .* fix="Did you mean KAFKA_BROKERS\?/;
    await eventually("it is warned of", () => warning.test(service.output));
    expect(service.output).toContain("Email service started");
    expect(service.output).not.toContain("\x1b[");
    expect(service.output).not.toContain('{"level"');
  },
);

test.skipIf(program === "")(
  "a pipe gets JSON, and other programs' variables are not warned of",
  async () => {
    using directory = temporaryDirectory();
    await using service = new InstantProcess(["serve-email"], {
      program,
      directory: directory.path,
      environment: { ...ports, KAFKA_HEAP_OPTS: "-Xmx1g", SHELL: "/bin/sh" },
    });
    await eventually("it has started", () => service.findLogs("Email service started")[0]);
    const lines = service.output.trim().split("\n");
    expect(lines.filter((line) => line.includes('"level":"warn"'))).toEqual([]);
  },
);

test.skipIf(program === "")(
  "serve-auth warns at its start of an origin whose pages browsers keep without the cookie",
  async () => {
    using directory = temporaryDirectory();
    await using service = new InstantProcess(["serve-auth"], {
      program,
      directory: directory.path,
      environment: {
        ...ports,
        PUBLIC_URL: "https://id.example.com",
        CORS_ORIGINS: "https://app.example.com,https://app.example.org",
      },
    });
    const warning = /"msg":"(\S+) in CORS_ORIGINS is on another site than PUBLIC_URL/g;
    const warned = () => [...service.output.matchAll(warning)].map(([, origin]) => origin);
    await eventually("it is warned of", () => warned().length > 0);
    expect(warned()).toEqual(["https://app.example.org"]);
  },
);

test.skipIf(program === "")(
  "a service answers probes from the start, and says that it is not ready yet",
  async () => {
    using directory = temporaryDirectory();
    using silent = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => {} } });
    const port = await choosePort(0);
    await using service = new InstantProcess(["serve-auth"], {
      program,
      directory: directory.path,
      environment: {
        AUTH_SERVICE_PORT: String(port),
        REDIS_URL: `redis://127.0.0.1:${silent.port}`,
      },
    });
    const url = `http://127.0.0.1:${port}`;
    await service.ready(`${url}/livez`);
    const answer = await fetch(`${url}/readyz`);
    expect([answer.status, await answer.json()]).toEqual([
      503,
      { status: "not_ready", reasons: ["the service is starting"] },
    ]);
    expect(service.findLogs("Auth service started")).toEqual([]);
    const health = await fetch(`${url}/health`); // waits until the stores are open, without Redis
    expect(await health.json()).toMatchObject({ codes: "disconnected", users: "embedded" });
    await eventually("it has started", () => service.findLogs("Auth service started")[0]);
  },
);

const rule = "=".repeat(60);

/** The guide's banner, for these settings. */
function banner(brokers: string, topic: string, partitions: number): string {
  return [
    rule,
    "Kafka Topic Initialization",
    rule,
    `Kafka Brokers: ${brokers}`,
    `Email Events Topic: ${topic}`,
    `DLQ Topic: ${topic}-dlq`,
    `Partitions: ${partitions}`,
    "Replication Factor: 1",
    rule,
    "",
    "Connecting to Kafka...",
    "✓ Connected to Kafka",
    "",
    "Creating topics...",
    "",
  ].join("\n");
}

function settings(topic: string, more: Record<string, string> = {}) {
  return { KAFKA_TOPIC_EMAIL_EVENTS: topic, KAFKA_TOPIC_EMAIL_DLQ: `${topic}-dlq`, ...more };
}

describe.skipIf(program === "")("create-topics", () => {
  test("on the embedded log prints what the guide shows, then that all exist", async () => {
    using directory = temporaryDirectory();
    const options = { directory: directory.path };
    const head = banner("embedded (.instant/events.sqlite)", "email-events", 3);
    expect((await runInstant(["create-topics"], options)).stdout).toBe(
      `${head}✓ Topic 'email-events' created successfully\n` +
        "✓ Topic 'email-events-dlq' created successfully\n",
    );
    expect((await runInstant(["create-topics"], options)).stdout).toBe(
      `${head}✓ Topic 'email-events' already exists (3 partitions)\n` +
        "✓ Topic 'email-events-dlq' already exists (1 partition)\n",
    );
  });

  test("without Kafka prints one line, with exit code 1", async () => {
    using directory = temporaryDirectory();
    const { exitCode, stderr } = await runInstant(["create-topics"], {
      directory: directory.path,
      environment: { KAFKA_BROKERS: "127.0.0.1:1" },
    });
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^instant: Failed to connect to Kafka: 127\.0\.0\.1:1: .+\n$/);
  });

  test.skipIf(kafka === undefined)(
    "on Kafka creates, verifies, and grows only when asked",
    async () => {
      using directory = temporaryDirectory();
      const topic = `t${crypto.randomUUID().slice(0, 8)}`;
      const run = (parameters: readonly string[], partitions: string) =>
        runInstant(["create-topics", ...parameters], {
          directory: directory.path,
          environment: settings(topic, {
            KAFKA_BROKERS: kafka ?? "",
            KAFKA_TOPIC_PARTITIONS: partitions,
          }),
        });
      const created = `✓ Topic '${topic}' created successfully\n✓ Topic '${topic}-dlq' created successfully\n`;
      expect((await run([], "3")).stdout).toBe(banner(kafka ?? "", topic, 3) + created);
      const fewer = await run([], "10");
      expect(fewer.exitCode).toBe(0);
      expect(fewer.stdout).toContain(`✓ Topic '${topic}' already exists (3 partitions)\n  ! `);
      expect((await run(["--grow"], "10")).stdout).toContain(
        `✓ Topic '${topic}' grown to 10 partitions`,
      );
      const report = JSON.parse((await run(["--json"], "10")).stdout);
      expect(report.topics[0]).toMatchObject({ topic, outcome: "exists", partitions: 10 });
    },
  );
});
