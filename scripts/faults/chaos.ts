/**
 * The command behind scripts/chaos: kills and freezes serve-email at each moment of its work, takes
 * its servers down, counts every mail, prints the tables. Exit code 1 when a guarantee was broken.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { Semaphore } from "../../src/email/event-log/flow/lanes.ts";
import { needJava, needKafkaJars } from "../../support/engines/kafka.ts";
import { replaceBetween } from "../documents/marked.ts";
import { freezeAt, killAt } from "./kills.ts";
import { killMidRound, roundMoments } from "./mid-round.ts";
import { frozenPhases, phases } from "./moments.ts";
import { outages, runOutage } from "./outages.ts";
import { longScale, quickScale } from "./stage.ts";
import type { Row } from "./tally.ts";
import { isKept, renderTable } from "./tally.ts";
import { openFaultWorld, rowsBeside } from "./world.ts";

interface ChaosOptions {
  /** How often serve-email is killed at each moment. */
  readonly kills: number;
  /** How often it is frozen at each moment. */
  readonly freezes: number;
  readonly quick: boolean;
  readonly json: boolean;
  readonly write: boolean;
}

const usage = "usage: scripts/chaos [--quick] [--kills N] [--json] [--write]";
export const killsQuick = 3;
const killsLong = 30;
const marks = ["<!-- scripts/chaos writes from here -->", "<!-- to here -->"] as const;

/** Throws an Error with the problem and the usage. */
export function parseOptions(parameters: readonly string[]): ChaosOptions {
  try {
    const { values } = parseArgs({
      args: [...parameters],
      options: {
        quick: { type: "boolean", default: false },
        kills: { type: "string" },
        json: { type: "boolean", default: false },
        write: { type: "boolean", default: false },
      },
    });
    const kills = Number(values.kills ?? (values.quick ? killsQuick : killsLong));
    if (!Number.isInteger(kills) || kills < 1 || kills > 1000) {
      throw new Error("--kills must be a number from 1 to 1000");
    }
    return { ...values, kills, freezes: Math.ceil(kills / 5) };
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${usage}`);
  }
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));

async function main(parameters: readonly string[]): Promise<number> {
  if (parameters.includes("--help")) {
    console.log(usage);
    return 0;
  }
  let options: ChaosOptions;
  try {
    options = parseOptions(parameters);
  } catch (error) {
    console.error((error as Error).message);
    return 2;
  }
  return run(options);
}

async function run(options: ChaosOptions): Promise<number> {
  const { kills, freezes } = options;
  const repository = resolve(import.meta.dir, "../..");
  const scale = options.quick ? quickScale : longScale;
  const print = (line: string) => console.error(line);
  await needJava(print);
  process.env["TEST_KAFKA_LIBS"] ??= await needKafkaJars(repository, print);
  const startedAt = Date.now();
  await using world = await openFaultWorld(join(repository, "instant"));

  const killed = await inParallel(phases, async (phase) => {
    return report({ name: phase.name, tally: await killAt(world, phase, kills) });
  });
  const midRound = await inParallel(roundMoments, async (moment) => {
    return report({ name: moment.name, ...(await killMidRound(world, moment, kills)) });
  });
  killed.push(...midRound);
  const frozen = await inParallel(frozenPhases, async (phase) => {
    return report({ name: phase.name, tally: await freezeAt(world, phase, freezes) });
  });
  const survived: Row[] = [];
  for (const outage of outages) survived.push(report(await runOutage(world, outage, scale)));

  const tables = [
    `Killed with SIGKILL, ${kills} times at each moment, and started again:`,
    renderTable("killed at", killed),
    `Frozen with SIGSTOP, ${freezes} times at each moment, past its lease and its session; woken when another
process had finished its mails:`,
    renderTable("frozen at", frozen),
    `Under ${scale.perSecond} mails a second:`,
    renderTable("what happened", survived),
  ].join("\n\n");
  if (options.write) {
    const path = join(repository, "docs/guarantees.md");
    writeFileSync(path, replaceBetween(readFileSync(path, "utf8"), marks, `\n${tables}\n`));
  }
  console.log(options.json ? JSON.stringify({ options, killed, frozen, survived }) : `\n${tables}`);
  const isAllKept = [...killed, ...frozen, ...survived].every(isKept);
  const minutes = ((Date.now() - startedAt) / 60_000).toFixed(1);
  print(`${isAllKept ? "every guarantee held" : "A GUARANTEE WAS BROKEN"} (${minutes} minutes)`);
  return isAllKept ? 0 : 1;
}

/** A kill mostly waits: for a session to end, for a lease. */
function inParallel<T>(items: readonly T[], act: (item: T) => Promise<Row>): Promise<Row[]> {
  const lanes = new Semaphore(rowsBeside);
  return Promise.all(items.map((item) => lanes.use(() => act(item))));
}

function report(row: Row): Row {
  const { mails, lost, once, twice, breaches } = row.tally;
  console.error(`${row.name}: ${mails} mails, ${lost} lost, ${once} once, ${twice} twice`);
  if (row.note !== undefined) console.error(`  ${row.note}`);
  for (const breach of breaches) console.error(`  BROKEN ${breach}`);
  return row;
}
