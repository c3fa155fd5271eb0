const windowRecords = 100;

/**
 * Watches for a bad deploy: a producer that writes what nobody can read would have its whole topic
 * moved to the dead letters, record by record.
 *
 * Watching: of the newest 100 records at most `poisonMax` were poison. Tripped: more were; it stays
 * so until the process starts again, since only a person can tell which side to mend.
 */
export class PoisonGuard {
  readonly #poisonMax: number;
  readonly #window = new Uint8Array(windowRecords);
  #next = 0;
  #poison = 0;
  #tripped = false;

  /** `poisonMax` 0: off. */
  constructor(poisonMax: number) {
    this.#poisonMax = poisonMax;
  }

  /** Notes one more record; true when the guard has tripped, now or before. */
  note(isPoison: boolean): boolean {
    if (this.#poisonMax === 0 || this.#tripped) return this.#tripped;
    const value = isPoison ? 1 : 0;
    this.#poison += value - (this.#window[this.#next] ?? 0);
    this.#window[this.#next] = value;
    this.#next = (this.#next + 1) % windowRecords;
    this.#tripped = this.#poison > this.#poisonMax;
    return this.#tripped;
  }

  /** For the log and `/readyz`; undefined while watching. */
  get reason(): string | undefined {
    if (!this.#tripped) return undefined;
    return `more than ${this.#poisonMax} of the last ${windowRecords} records cannot be read; mend who writes them, or set EMAIL_POISON_GUARD=0 to bury them, and start again`;
  }
}
