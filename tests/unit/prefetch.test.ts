import { describe, expect, test } from "bun:test";
import { prefetch } from "../../src/email/dead-letters/replay.ts";

describe("oneAhead", () => {
  /** Counts to `last`; `asked` is the newest number that was asked for. */
  function counting(last: number, failAt = Number.NaN) {
    const state = { asked: 0, closed: false };
    async function* numbers(): AsyncGenerator<number, void> {
      try {
        for (let number = 1; number <= last; number += 1) {
          state.asked = number;
          if (number === failAt) throw new Error(`no ${number}`);
          yield number;
        }
      } finally {
        state.closed = true;
      }
    }
    return { state, numbers: numbers() };
  }

  test("asks for one item while the one before it is worked on, and for no more", async () => {
    const { state, numbers } = counting(4);
    const asked: number[] = [];
    for await (const _ of prefetch(numbers)) {
      await new Promise((resolve) => setImmediate(resolve));
      asked.push(state.asked);
    }
    expect(asked).toEqual([2, 3, 4, 4]);
  });

  test("gives all items in order before it throws what the source threw", async () => {
    const { numbers } = counting(4, 3);
    const read: number[] = [];
    const reading = (async () => {
      for await (const number of prefetch(numbers)) read.push(number);
    })();
    expect(await reading.catch((error) => error.message)).toBe("no 3");
    expect(read).toEqual([1, 2]);
  });

  test("closes the source when the reader ends early, and drops what was asked for", async () => {
    const { state, numbers } = counting(4, 2);
    for await (const _ of prefetch(numbers)) break;
    expect(state).toEqual({ asked: 2, closed: true });
  });
});
