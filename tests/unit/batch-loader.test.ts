import { expect, test } from "bun:test";
import { BatchLoader } from "../../src/auth/users/postgres.ts";

function openLookups(keysMax?: number) {
  const questions: (readonly string[])[] = [];
  const load = async (keys: readonly string[]) => {
    questions.push(keys);
    if (keys.includes("bad")) throw new Error("the store is away");
    return new Map(keys.filter((key) => key !== "nobody").map((key) => [key, `user ${key}`]));
  };
  return {
    questions,
    lookups: new BatchLoader(load, keysMax === undefined ? {} : { keysMax }),
  };
}

test("lookups of one turn are one question, and each gets its own answer", async () => {
  const { questions, lookups } = openLookups();
  const found = await Promise.all(["a", "b", "nobody", "a"].map((key) => lookups.find(key)));
  expect(found).toEqual(["user a", "user b", undefined, "user a"]);
  expect(questions).toEqual([["a", "b", "nobody"]]);
});

test("a lookup is never answered by a question that was asked before it", async () => {
  const { questions, lookups } = openLookups();
  const first = lookups.find("a");
  await new Promise((resolve) => setImmediate(resolve));
  await Promise.all([first, lookups.find("a")]);
  expect(questions).toEqual([["a"], ["a"]]);
});

test("a question has a bound; what is beyond it is another one", async () => {
  const { questions, lookups } = openLookups(2);
  const found = await Promise.all(["a", "b", "c"].map((key) => lookups.find(key)));
  expect(found).toEqual(["user a", "user b", "user c"]);
  expect(questions).toEqual([["a", "b"], ["c"]]);
});

test("a question that fails rejects those who asked it, and not the next", async () => {
  const { lookups } = openLookups();
  const both = await Promise.allSettled([lookups.find("bad"), lookups.find("a")]);
  expect(both.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  expect(await lookups.find("a")).toBe("user a");
});
