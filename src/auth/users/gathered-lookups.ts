interface Turn<T> {
  readonly keys: Set<string>;
  readonly found: Promise<ReadonlyMap<string, T>>;
}

/**
 * Lookups that were asked for in one turn of the event loop become one question, of at most
 * `keysMax` keys; each caller gets its own answer, never older than its call. A question that
 * fails rejects all who asked it, and nobody else.
 */
export class GatheredLookups<T> {
  readonly #load: (keys: readonly string[]) => Promise<ReadonlyMap<string, T>>;
  readonly #keysMax: number;
  #turn: Turn<T> | undefined;

  constructor(
    load: (keys: readonly string[]) => Promise<ReadonlyMap<string, T>>,
    { keysMax = 200 }: { readonly keysMax?: number } = {},
  ) {
    this.#load = load;
    this.#keysMax = keysMax;
  }

  async find(key: string): Promise<T | undefined> {
    const turn = this.#turn ?? this.#begin();
    turn.keys.add(key);
    if (turn.keys.size >= this.#keysMax) this.#turn = undefined; // the next one begins another
    return (await turn.found).get(key);
  }

  #begin(): Turn<T> {
    const keys = new Set<string>();
    const turn = {
      keys,
      found: new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
        if (this.#turn === turn) this.#turn = undefined;
        return this.#load([...keys]);
      }),
    };
    this.#turn = turn;
    return turn;
  }
}
