import { join, resolve } from "node:path";
import { needProgram } from "../../support/engines/packages.ts";
import type { ServerName } from "../../support/engines/server.ts";
import { ServerRecords, withLock } from "../../support/engines/state.ts";
import { bringUp } from "../../support/engines/up.ts";
import type { OwnRedis } from "../../support/own-redis.ts";
import { openOwnRedis } from "../../support/own-redis.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import type { Program } from "./before.ts";

/** What a row is measured on. */
export interface Stage extends AsyncDisposable {
  readonly repository: string;
  /** What is measured: the built ./instant, or another build of it. */
  readonly program: Program;
  /** Measured too, by the rows that compare the program with it. */
  readonly before: Program | undefined;
  /** As in KAFKA_BROKERS. It may be shared: create topics and groups of your own. */
  kafka(): Promise<string>;
  /** As in DATABASE_URL. It may be shared: create a schema of your own. */
  database(): Promise<string>;
  /**
   * An empty Redis for one run, set up as scripts/servers does, with the append-only file synced
   * every second. A ledger that still had the mails of the last run would skip them.
   */
  openRedis(): Promise<OwnRedis>;
  /** A new, empty directory, deleted with the stage. */
  makeDirectory(): string;
  /** Reports progress. */
  print(line: string): void;
}

/** Servers are found, or started, when a row asks for them: see `bringUp`, and TEST_*. */
export function openStage(print: (line: string) => void, before?: Program): Stage {
  const stack = new AsyncDisposableStack();
  const repository = resolve(import.meta.dir, "../..");
  const records = new ServerRecords(join(repository, ".cache", "servers"));
  const env = process.env;
  const find = (name: ServerName, variable: string): Promise<string> =>
    withLock(join(records.directory, "lock"), async () => {
      const options = { repository, records, environment: env, print: print };
      return (await bringUp(name, options)).variables[variable] ?? "";
    });
  return {
    repository,
    program: { path: env["TEST_INSTANT"] ?? join(repository, "instant") },
    before,
    kafka: async () => env["TEST_KAFKA_BROKERS"] ?? find("kafka", "KAFKA_BROKERS"),
    database: async () => env["TEST_DATABASE_URL"] ?? find("postgres", "DATABASE_URL"),
    openRedis: async () => {
      await needProgram("redis-server", { debian: "redis-server", print: print });
      const args = ["--appendonly", "yes", "--maxmemory-policy", "noeviction"];
      return openOwnRedis({ persistent: false, args });
    },
    makeDirectory: () => stack.use(temporaryDirectory()).path,
    print,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
