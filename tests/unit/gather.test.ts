import { expect, test } from "bun:test";
import { gather } from "../../src/core/gather.ts";

function openLookups(itemsMax?: number) {
  const questions: (readonly string[])[] = [];
  const find = gather(async (keys: readonly string[]) => {
    questions.push(keys);
    if (keys.includes("bad")) throw new Error("the store is unavailable");
    return keys.map((key) => (key === "nobody" ? undefined : `user ${key}`));
  }, itemsMax);
  return { questions, find };
}

test("what one turn asks for is one call, and each gets its own reply", async () => {
  const { questions, find } = openLookups();
  const found = await Promise.all(["a", "b", "nobody", "a"].map(find));
  expect(found).toEqual(["user a", "user b", undefined, "user a"]);
  expect(questions).toEqual([["a", "b", "nobody", "a"]]);
});

test("a question is never answered by a call that was made before it", async () => {
  const { questions, find } = openLookups();
  const first = find("a");
  await new Promise((resolve) => setImmediate(resolve));
  await Promise.all([first, find("a")]);
  expect(questions).toEqual([["a"], ["a"]]);
});

test("a call has a bound; what is beyond it is another one", async () => {
  const { questions, find } = openLookups(2);
  const found = await Promise.all(["a", "b", "c"].map(find));
  expect(found).toEqual(["user a", "user b", "user c"]);
  expect(questions).toEqual([["a", "b"], ["c"]]);
});

test("a call that fails rejects those who asked it, and not the next", async () => {
  const { find } = openLookups();
  const both = await Promise.allSettled([find("bad"), find("a")]);
  expect(both.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  expect(await find("a")).toBe("user a");
});
