/**
 * The command behind scripts/chaos: kills serve-email at each moment, takes its servers away, counts
 * every mail, prints the tables. Exit code 1 when a mail was lost, or sent twice without an excuse.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { needKafkaJars } from "../engines/kafka-jars.ts";
import { killAt } from "./kill-at.ts";
import { longScale, outages, quickScale, runOutage } from "./outages.ts";
import { phases } from "./phases.ts";
import type { Row } from "./table.ts";
import { isKept, renderTable } from "./table.ts";
import { openFaultWorld } from "./world.ts";

const repository = resolve(import.meta.dir, "../..");
const documentPath = join(repository, "docs/guarantees.md");
const markers = ["<!-- scripts/chaos writes from here -->", "<!-- to here -->"] as const;

const parameters = process.argv.slice(2);
const isQuick = parameters.includes("--quick");
const kills = isQuick ? 3 : 30;
const scale = isQuick ? quickScale : longScale;
const known = ["--quick", "--write", "--json"];
if (!parameters.every((parameter) => known.includes(parameter))) {
  console.error(`usage: scripts/chaos [${known.join("] [")}]`);
  process.exit(2);
}

process.env["TEST_KAFKA_LIBS"] ??= await needKafkaJars(repository, (line) => console.error(line));
await using world = await openFaultWorld(join(repository, "instant"));

const killed: Row[] = [];
for (const phase of phases) {
  killed.push({ name: phase.name, tally: await killAt(world, phase, kills) });
  say(killed.at(-1));
}
const survived: Row[] = [];
for (const outage of outages) {
  survived.push({ name: outage.name, tally: await runOutage(world, outage, scale) });
  say(survived.at(-1));
}

const tables = [
  `${kills} kills each, 6 mails in flight at each kill:`,
  renderTable("killed at", killed),
  `Under ${scale.perSecond} mails a second:`,
  renderTable("what happened", survived),
].join("\n\n");
if (parameters.includes("--write")) writeTables(tables);
if (parameters.includes("--json")) console.log(JSON.stringify({ killed, survived }, mapsAsObjects));
else console.log(`\n${tables}`);
process.exitCode = [...killed, ...survived].every(isKept) ? 0 : 1;

function say(row: Row | undefined): void {
  if (row === undefined) return;
  const { lost, once, twice, unexplained } = row.tally;
  const trouble = unexplained.length > 0 ? ` UNEXPLAINED ${unexplained.join(" ")}` : "";
  console.error(`${row.name}: ${lost} lost, ${once} once, ${twice} twice${trouble}`);
}

function writeTables(text: string): void {
  const [from, to] = markers;
  const page = readFileSync(documentPath, "utf8");
  const [before = "", rest = ""] = page.split(from);
  const after = rest.split(to)[1] ?? "";
  writeFileSync(documentPath, `${before}${from}\n\n${text}\n\n${to}${after}`);
}

function mapsAsObjects(_: string, value: unknown): unknown {
  return value instanceof Map ? Object.fromEntries(value) : value;
}
