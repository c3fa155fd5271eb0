/**
 * The items of `source`, each asked for while the one before it is worked on: never more than one
 * ahead. What is asked for too much, and its failure, is dropped when the reader ends early.
 */
export async function* oneAhead<T>(source: AsyncGenerator<T, void>): AsyncGenerator<T, void> {
  try {
    for (let asked = source.next(); ; ) {
      const { done, value } = await asked;
      if (done) return;
      asked = source.next();
      asked.catch(() => {}); // the next turn hears of it, if there is one
      yield value;
    }
  } finally {
    await source.return();
  }
}
