/**
 * The command behind scripts/chaos: kills and freezes serve-email at each moment of its work, takes
 * its servers away, counts every mail, prints the tables. Exit code 1 when the promise was broken.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Semaphore } from "../../src/email/event-log/flow/semaphore.ts";
import { needJava, needKafkaJars } from "../../support/engines/kafka.ts";
import { freezeAt, frozenPhases } from "./frozen-at.ts";
import { killAt } from "./kill-at.ts";
import { parseOptions } from "./options.ts";
import { outages, runOutage } from "./outages.ts";
import { replaceMeasured } from "./page.ts";
import { phases } from "./phases.ts";
import { longScale, quickScale } from "./stage.ts";
import type { Row } from "./table.ts";
import { isKept, renderTable } from "./table.ts";
import { openFaultWorld, rowsBeside } from "./world.ts";

const repository = resolve(import.meta.dir, "../..");
const pagePath = join(repository, "docs/guarantees.md");
const say = (line: string) => console.error(line);

const options = readOptions();
const { kills, freezes } = options;
const scale = options.quick ? quickScale : longScale;
await needJava(say);
process.env["TEST_KAFKA_LIBS"] ??= await needKafkaJars(repository, say);
const startedAt = Date.now();
await using world = await openFaultWorld(join(repository, "instant"));

const killed = await beside(phases, async (phase) => {
  return told({ name: phase.name, tally: await killAt(world, phase, kills) });
});
const frozen = await beside(frozenPhases, async (phase) => {
  return told({ name: phase.name, tally: await freezeAt(world, phase, freezes) });
});
const survived: Row[] = [];
for (const outage of outages) survived.push(told(await runOutage(world, outage, scale)));

const tables = [
  `Killed with SIGKILL, ${kills} times at each moment, and started again:`,
  renderTable("killed at", killed),
  `Frozen with SIGSTOP, ${freezes} times at each moment, past its lease and its session; woken when another
process had finished its mails:`,
  renderTable("frozen at", frozen),
  `Under ${scale.perSecond} mails a second:`,
  renderTable("what happened", survived),
].join("\n\n");
if (options.write) writeFileSync(pagePath, replaceMeasured(readFileSync(pagePath, "utf8"), tables));
console.log(options.json ? JSON.stringify({ options, killed, frozen, survived }) : `\n${tables}`);
const isAllKept = [...killed, ...frozen, ...survived].every(isKept);
const minutes = ((Date.now() - startedAt) / 60_000).toFixed(1);
say(`${isAllKept ? "the promise was kept" : "THE PROMISE WAS BROKEN"} (${minutes} minutes)`);
process.exitCode = isAllKept ? 0 : 1;

/** A kill is mostly waiting: for a session to end, for a lease. */
function beside<T>(items: readonly T[], act: (item: T) => Promise<Row>): Promise<Row[]> {
  const lanes = new Semaphore(rowsBeside);
  return Promise.all(items.map((item) => lanes.use(() => act(item))));
}

function readOptions() {
  try {
    return parseOptions(process.argv.slice(2));
  } catch (error) {
    say((error as Error).message);
    process.exit(2);
  }
}

function told(row: Row): Row {
  const { mails, lost, once, twice, breaches } = row.tally;
  say(`${row.name}: ${mails} mails, ${lost} lost, ${once} once, ${twice} twice`);
  if (row.note !== undefined) say(`  ${row.note}`);
  for (const breach of breaches) say(`  BROKEN ${breach}`);
  return row;
}
