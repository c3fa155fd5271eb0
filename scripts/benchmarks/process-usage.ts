import { readFileSync } from "node:fs";

/** Linux counts a process' time for everybody to read in hundredths of a second. */
const microsPerTick = 10_000;

/** CPU time of a process so far, of all its threads, user and system. Linux only. */
export function readCpuMicros(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The name in parentheses may hold blanks: the numbered fields begin after it, at the third.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * microsPerTick;
}

/** Memory of a process that is in RAM now, shared pages included. Linux only. */
export function readResidentBytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(kilobytes) * 1024;
}
