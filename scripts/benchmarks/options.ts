import { parseArgs } from "node:util";

export interface BenchOptions {
  readonly quick: boolean;
  /** Names of the rows to measure; undefined: all of this scale. */
  readonly only: readonly string[] | undefined;
  readonly json: boolean;
  readonly write: boolean;
}

const usage = "usage: scripts/bench [--quick] [--only name,name] [--json] [--write]";

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
      },
    });
    const { quick, json, write } = values;
    const only = values.only?.split(",");
    const unknown = only?.filter((name) => !names.includes(name)) ?? [];
    if (unknown.length > 0) throw new Error(`there is no row ${unknown.join(", ")}`);
    return { quick, only, json, write };
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${usage}\nrows: ${names.join(", ")}`);
  }
}
