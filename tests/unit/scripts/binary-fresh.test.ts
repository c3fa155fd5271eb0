import { expect, test } from "bun:test";
import { mkdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isFresh } from "../../../scripts/binary/build.ts";
import { temporaryDirectory } from "../../../support/temporary-directory.ts";

/** A product made at 1000 s of sources from before; `touch` changes one at 2000 s. */
function prepare(root: string) {
  const product = join(root, "instant");
  const source = join(root, "src");
  mkdirSync(join(source, "core"), { recursive: true });
  const paths = [join(source, "core", "a.ts"), product];
  for (const path of paths) writeFileSync(path, "");
  for (const path of [...paths, join(source, "core"), source]) utimesSync(path, 1000, 1000);
  return { product, source, file: join(source, "core", "a.ts") };
}

test("a product as new as its sources is fresh", () => {
  using directory = temporaryDirectory();
  const { product, source } = prepare(directory.path);
  expect(isFresh(product, [source, join(directory.path, "not-there")])).toBe(true);
});

test("a changed source makes it stale", () => {
  using directory = temporaryDirectory();
  const { product, source, file } = prepare(directory.path);
  utimesSync(file, 2000, 2000);
  expect(isFresh(product, [source])).toBe(false);
});

test("a deleted source makes it stale", () => {
  using directory = temporaryDirectory();
  const { product, source, file } = prepare(directory.path);
  rmSync(file);
  expect(isFresh(product, [source])).toBe(false);
});

test("a product that is not there is not fresh", () => {
  using directory = temporaryDirectory();
  expect(isFresh(join(directory.path, "instant"), [])).toBe(false);
});
