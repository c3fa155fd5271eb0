import { readdirSync, readFileSync } from "node:fs";

/** Set in the environment of a suite, so that whatever it starts can be told from all others. */
export const markName = "INSTANT_TEST_SUITE";

export interface Leftover {
  readonly pid: number;
  readonly command: string;
}

/** The processes that carry a suite's mark, wherever they moved to. Only Linux can tell. */
export function findLeftovers(mark: string): Leftover[] {
  if (process.platform !== "linux") return [];
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => readZeroSeparated(pid, "environ").includes(`${markName}=${mark}`))
    .map((pid) => ({ pid: Number(pid), command: readZeroSeparated(pid, "cmdline").join(" ") }))
    .filter(({ command }) => command !== ""); // a zombie has none
}

function readZeroSeparated(pid: string, file: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8").split("\0").filter(Boolean);
  } catch {
    return []; // ended meanwhile, or somebody else's
  }
}
