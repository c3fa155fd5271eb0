import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

const waitMsMax = 10 * 60_000;

/**
 * Lets one process at a time start or end servers. The file names its owner; a lock whose owner
 * is gone is taken over. Waits up to ten minutes (a first start may be fetching packages);
 * `onWait` is called once when it has to.
 */
export async function withLock<T>(
  path: string,
  act: () => Promise<T>,
  onWait: () => void = () => {},
): Promise<T> {
  mkdirSync(dirname(path), { recursive: true });
  const givenUpAt = Date.now() + waitMsMax;
  let waiting = false;
  while (!take(path)) {
    if (Date.now() > givenUpAt) throw new Error(`another process holds ${path}`);
    if (ownerIsGone(path)) rmSync(path, { force: true });
    else {
      if (!waiting) onWait();
      waiting = true;
      await Bun.sleep(100);
    }
  }
  try {
    return await act();
  } finally {
    rmSync(path, { force: true });
  }
}

function take(path: string): boolean {
  try {
    writeFileSync(path, String(process.pid), { flag: "wx" });
    return true;
  } catch {
    return false;
  }
}

function ownerIsGone(path: string): boolean {
  try {
    const pid = Number(readFileSync(path, "utf8"));
    if (pid > 0) process.kill(pid, 0);
    return false; // an empty file is a lock being written this moment
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
}
