import { rmSync } from "node:fs";
import { containerIsRunning, removeContainer } from "./docker.ts";
import { nameOutsideFolder } from "./postgres-cluster.ts";
import { endProcess, isRunning } from "./processes.ts";
import type { Server, ServerName } from "./server.ts";
import type { ServerRecords } from "./state.ts";

const graceMs = 30_000;

/** Whether the process or container of a server is there, whether or not it answers. */
export async function isAlive({ origin }: Server): Promise<boolean> {
  if (origin.kind === "process") return isRunning(origin.process);
  if (origin.kind === "docker") return containerIsRunning(origin.container);
  return true;
}

/**
 * Ends a server that we started, by its own process or container, and forgets it. Postgres takes
 * SIGINT as "disconnect everybody and stop"; the others stop on SIGTERM. Killed after 30 s.
 */
export async function endServer(server: Server, records: ServerRecords): Promise<void> {
  const { name, origin } = server;
  if (origin.kind === "docker") await removeContainer(origin.container);
  if (origin.kind === "process") {
    await endProcess(origin.process, {
      signal: name === "postgres" ? "SIGINT" : "SIGTERM",
      graceMs,
    });
  }
  records.remove(name);
}

/** Deletes what a server kept: data, settings, password. It must have been ended before. */
export function wipeServer(name: ServerName, records: ServerRecords): void {
  const directory = records.folder(name);
  rmSync(directory, { recursive: true, force: true });
  if (name === "postgres") rmSync(nameOutsideFolder(directory), { recursive: true, force: true });
}
