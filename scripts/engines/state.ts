import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
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
