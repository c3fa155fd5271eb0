import { parseArgs } from "node:util";

export interface BenchOptions {
  readonly quick: boolean;
  /** Names of the rows to measure; undefined: all of this scale. */
  readonly only: readonly string[] | undefined;
  readonly json: boolean;
  readonly write: boolean;
  /** Runs the program from its sources, and shows where its time goes. */
  readonly profile: boolean;
}

const usage = "usage: scripts/bench [--quick] [--only name,name] [--profile] [--json] [--write]";

/** Throws an Error with what is wrong, the usage and the names there are. */
export function parseOptions(
  parameters: readonly string[],
  names: readonly string[],
): BenchOptions {
  try {
    const { values } = parseArgs({
      args: [...parameters],
      options: {
        quick: { type: "boolean", default: false },
        only: { type: "string" },
        json: { type: "boolean", default: false },
        write: { type: "boolean", default: false },
        profile: { type: "boolean", default: false },
      },
    });
    const { quick, json, write, profile } = values;
    const only = values.only?.split(",");
    const unknown = only?.filter((name) => !names.includes(name)) ?? [];
    if (unknown.length > 0) throw new Error(`there is no row ${unknown.join(", ")}`);
    if (profile && json) throw new Error("--profile prints tables, no JSON");
    return { quick, only, json, write, profile };
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${usage}\nrows: ${names.join(", ")}`);
  }
}
