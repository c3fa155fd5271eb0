/** The command behind scripts/check: prints a line for each rule, then N passed, N failed. */
import { resolve } from "node:path";
import { checkHouse } from "./house.ts";

const parameters = process.argv.slice(2);
if (parameters.some((parameter) => parameter !== "--write")) {
  console.error("usage: scripts/check [--write]   (--write lets Biome mend what it can)");
  process.exit(2);
}
const repository = resolve(import.meta.dir, "../..");
const results = await checkHouse(repository, { write: parameters.includes("--write") });
for (const { name, passed, report } of results) {
  console.log(passed ? `✓ ${name}` : `✗ ${name}\n${report}\n`);
}
const failed = results.filter((result) => !result.passed).length;
console.log(`${results.length - failed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
