import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import packageJson from "../../../package.json" with { type: "json" };
import { kafka } from "../../../support/engines/kafka.ts";
import { postgres } from "../../../support/engines/postgres.ts";
import { redis } from "../../../support/engines/up.ts";
import { temporaryDirectory } from "../../../support/temporary-directory.ts";

function read(path: string): string {
  return readFileSync(resolve(import.meta.dir, "../../..", path), "utf8");
}

test("one version of Bun stands everywhere", () => {
  const pinned = /^bun_version=(.+)$/m.exec(read("scripts/bootstrap.sh"))?.[1];
  expect(pinned).toBe(packageJson.devDependencies["bun-types"]);
  expect(packageJson.engines.bun).toBe(`>=${pinned}`);
  expect(read("Dockerfile")).toContain(`FROM oven/bun:${pinned}-debian`);
});

test("Compose and scripts/servers use the same images", () => {
  using directory = temporaryDirectory();
  const compose = read("docker-compose.yml");
  for (const recipe of [kafka, redis, postgres]) {
    expect(compose).toContain(`image: ${recipe.planDocker?.(1, directory.path).image}\n`);
  }
});

test("packages are pinned to exact versions", () => {
  const versions = Object.values({ ...packageJson.dependencies, ...packageJson.devDependencies });
  for (const version of versions) expect(version).toMatch(/^\d+\.\d+\.\d+$/);
});
