import { parseArgs } from "node:util";

export interface ChaosOptions {
  /** How often serve-email is killed at each moment. */
  readonly kills: number;
  /** How often it is frozen at each moment. */
  readonly freezes: number;
  readonly quick: boolean;
  readonly json: boolean;
  readonly write: boolean;
}

export const usage = "usage: scripts/chaos [--quick] [--kills N] [--json] [--write]";
export const killsQuick = 3;
const killsLong = 30;

/** Throws an Error with what is wrong, and `usage`. */
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
    const { quick, json, write } = values;
    const kills = Number(values.kills ?? (quick ? killsQuick : killsLong));
    if (!Number.isInteger(kills) || kills < 1 || kills > 1000) {
      throw new Error("--kills is a number from 1 to 1000");
    }
    return { kills, freezes: Math.ceil(kills / 5), quick, json, write };
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${usage}`);
  }
}
