const deferralsMax = 10;

/**
 * Tells a server that defers everybody from one that defers somebody: 10 deferrals in a row, of at
 * least two recipients, and none accepted between them.
 */
export class DeferralStreak {
  #deferrals = 0;
  #first: string | undefined;
  #several = false;

  /** True when this deferral makes it a streak; the next one begins a new count. */
  defer(recipient: string): boolean {
    this.#deferrals += 1;
    this.#first ??= recipient;
    this.#several ||= recipient !== this.#first;
    if (this.#deferrals < deferralsMax || !this.#several) return false;
    this.end();
    return true;
  }

  end(): void {
    this.#deferrals = 0;
    this.#first = undefined;
    this.#several = false;
  }
}
