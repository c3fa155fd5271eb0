import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Server, ServerName } from "./server.ts";

/**
 * What is known of the servers we started: one JSON file for each in `directory`, written when it
 * was started and removed when it was ended. Mode 0600, since an address may hold a password.
 */
export class ServerRecords {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  }

  /** The server's own folder, made when it is not there. */
  folder(name: ServerName): string {
    const path = join(this.directory, name);
    mkdirSync(path, { recursive: true });
    return path;
  }

  find(name: ServerName): Server | undefined {
    try {
      return JSON.parse(readFileSync(this.#path(name), "utf8")) as Server;
    } catch {
      return undefined;
    }
  }

  save(server: Server): void {
    const path = this.#path(server.name);
    writeFileSync(`${path}.new`, `${JSON.stringify(server, undefined, 2)}\n`, { mode: 0o600 });
    renameSync(`${path}.new`, path);
  }

  remove(name: ServerName): void {
    rmSync(this.#path(name), { force: true });
  }

  #path(name: ServerName): string {
    return join(this.directory, `${name}.json`);
  }
}

const waitMsMax = 10 * 60_000;

/**
 * Lets one process at a time start or end servers. The file names its owner; a lock whose owner
 * is gone is taken over. Waits up to ten minutes (a first start may be fetching packages);
 * `onWait` is called once when it has to.
 */
export async function withLock<T>(
  path: string,
  act: () => Promise<T>,
  onWait: () => void = () => {},
): Promise<T> {
  mkdirSync(dirname(path), { recursive: true });
  const givenUpAt = Date.now() + waitMsMax;
  let waiting = false;
  while (!take(path)) {
    if (Date.now() > givenUpAt) throw new Error(`another process holds ${path}`);
    if (ownerIsGone(path)) rmSync(path, { force: true });
    else {
      if (!waiting) onWait();
      waiting = true;
      await Bun.sleep(100);
    }
  }
  try {
    return await act();
  } finally {
    rmSync(path, { force: true });
  }
}

function take(path: string): boolean {
  try {
    writeFileSync(path, String(process.pid), { flag: "wx" });
    return true;
  } catch {
    return false;
  }
}

function ownerIsGone(path: string): boolean {
  try {
    const pid = Number(readFileSync(path, "utf8"));
    if (pid > 0) process.kill(pid, 0);
    return false; // an empty file is a lock being written this moment
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
}
