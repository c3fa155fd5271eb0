import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";
import { sha256Hex } from "../../core/secret.ts";

const placeSchema = z.object({
  startedAt: z.string(),
  /** Per partition: the next offset to look at, and where the replay ends. */
  partitions: z.array(z.object({ partition: z.int(), next: z.int(), to: z.int() })),
  replayed: z.int(),
});

export type ReplayPlace = z.infer<typeof placeSchema>;

/**
 * Keeps the place of an unfinished replay in a file per topic and filter set, replaced as a whole
 * after each batch that was acknowledged. A replay that was killed in between repeats one batch,
 * which the ledger knows as replayed already.
 */
export class ReplayPlaceFile {
  readonly path: string;

  /** `filters` is any text that is the same for the same filters. */
  constructor(dataDirectory: string, topic: string, filters: string) {
    const name = sha256Hex(`${topic}\n${filters}`).slice(0, 16);
    this.path = join(dataDirectory, "replays", `${name}.json`);
  }

  /** Undefined when no replay with these filters is unfinished. */
  load(): ReplayPlace | undefined {
    try {
      return placeSchema.parse(JSON.parse(readFileSync(this.path, "utf8")));
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
      throw error;
    }
  }

  save(place: ReplayPlace): void {
    mkdirSync(dirname(this.path), { recursive: true, mode: 0o700 });
    const next = `${this.path}.${process.pid}`;
    writeFileSync(next, JSON.stringify(place), { mode: 0o600 });
    renameSync(next, this.path);
  }

  remove(): void {
    rmSync(this.path, { force: true });
  }
}
