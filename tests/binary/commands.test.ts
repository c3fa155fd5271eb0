import { describe, expect, test } from "bun:test";
import { readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findEngine } from "../../support/engines.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { runInstant } from "../support/run-instant.ts";

describe.skipIf(findEngine("instant") === undefined)("the built program", () => {
  test("says its commands, alone in an empty directory, and leaves nothing behind", async () => {
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
    [["replay-dlq", "--from-offset", "x", "--class", "y"], "--class must be of malformed"],
    [["--env-file", "/none", "serve-auth"], "--env-file /none cannot be read"],
  ])("ends %j with exit code 2 and what to write instead", async (parameters, words) => {
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

  test("in production names each engine and secret it would need", async () => {
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

  test("makes its files for its own user alone", async () => {
    using directory = temporaryDirectory();
    await runInstant(["create-topics"], { directory: directory.path });
    const data = join(directory.path, ".instant");
    expect(statSync(data).mode & 0o777).toBe(0o700);
    expect(statSync(join(data, "events.sqlite")).mode & 0o777).toBe(0o600);
  });
});
