import { isInstantError } from "../../core/errors.ts";

const underWayMax = 1000;

/** Writes that nobody waits for: at most 1,000 at a time; those that fail are lost, and the engine's client logs why. */
export class NotesUnderWay {
  readonly #notes = new Set<Promise<unknown>>();

  /** Does not call `write` when there are too many already. */
  add(write: () => Promise<unknown>): void {
    if (this.#notes.size >= underWayMax) return;
    const note = write()
      .catch((error: unknown) => {
        if (!isInstantError(error)) throw error;
      })
      .finally(() => this.#notes.delete(note));
    this.#notes.add(note);
  }

  async settled(): Promise<void> {
    await Promise.all(this.#notes);
  }
}
