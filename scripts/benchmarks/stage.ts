import { join, resolve } from "node:path";
import { needProgram } from "../../support/engines/packages.ts";
import type { ServerName, Variables } from "../../support/engines/server.ts";
import { ServerRecords, withLock } from "../../support/engines/state.ts";
import { bringUp } from "../../support/engines/up.ts";
import type { OwnRedis } from "../../support/own-redis.ts";
import { openOwnRedis } from "../../support/own-redis.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

/** What a row is measured on. */
export interface Stage extends AsyncDisposable {
  readonly repository: string;
  /** The built ./instant. */
  readonly program: string;
  /** As in KAFKA_BROKERS. Others may use it too: make topics and groups of your own. */
  kafka(): Promise<string>;
  /** As DATABASE_URL. Others may use it too: take a schema of your own. */
  database(): Promise<string>;
  /**
   * An empty Redis of one run, set as scripts/servers sets it: the append-only file is written each
   * second. A ledger that still knew the mails of the run before would skip them.
   */
  openRedis(): Promise<OwnRedis>;
  /** A new, empty directory that is gone with the stage. */
  makeDirectory(): string;
  /** Tells the person how far it is. */
  print(line: string): void;
}

/** Servers are found, or started, when a row asks for them: see `bringUp`, and TEST_*. */
export function openStage(print: (line: string) => void): Stage {
  const stack = new AsyncDisposableStack();
  const repository = resolve(import.meta.dir, "../..");
  const records = new ServerRecords(join(repository, ".cache", "servers"));
  const find = (name: ServerName): Promise<Variables> =>
    withLock(join(records.directory, "lock"), async () => {
      const options = { repository, records, environment: process.env, print };
      return (await bringUp(name, options)).variables;
    });
  const env = process.env;
  return {
    repository,
    program: env["TEST_INSTANT"] ?? join(repository, "instant"),
    kafka: async () => env["TEST_KAFKA_BROKERS"] ?? (await find("kafka"))["KAFKA_BROKERS"] ?? "",
    database: async () =>
      env["TEST_DATABASE_URL"] ?? (await find("postgres"))["DATABASE_URL"] ?? "",
    openRedis: async () => {
      await needProgram("redis-server", { debian: "redis-server", print });
      const args = ["--appendonly", "yes", "--maxmemory-policy", "noeviction"];
      return openOwnRedis({ persistent: false, args });
    },
    makeDirectory: () => stack.use(temporaryDirectory()).path,
    print,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
