import { accessSync, constants, existsSync, readdirSync, statSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Diagnosis } from "../core/diagnosis.ts";

const mebibyte = 1024 * 1024;
/** Below it SQLite and the system start to fail; the warning leaves time to act. */
const freeBytesMin = 100 * mebibyte;
const freeBytesWarn = 1024 * mebibyte;
const filesMax = 50;

/** Checks that DATA_DIR is writable, not readable by others, and its disk not full. */
export async function diagnoseDataDirectory(
  path: string,
  diagnosis: Diagnosis,
  freeBytes: (path: string) => Promise<number> = readFreeBytes,
): Promise<void> {
  const exists = existsSync(path);
  const place = exists ? path : nearest(path);
  if (!isWritable(place)) {
    const fix = `Give it to the user that runs the program: chown <user> ${place}`;
    diagnosis.fault("data.writable", `${place} cannot be written`, fix);
  } else if (!exists) {
    diagnosis.ok("data.writable", "Does not exist yet; the first start creates it");
  } else {
    diagnoseModes(diagnosis, path);
  }
  diagnoseSpace(diagnosis, place, await freeBytes(place));
}

function diagnoseSpace(diagnosis: Diagnosis, place: string, bytes: number): void {
  const free = `${formatBytes(bytes)} free`;
  const fix = `Free space on the disk of ${place} (df -h ${place}), or move DATA_DIR`;
  if (bytes < freeBytesMin) {
    diagnosis.fault("data.space", `The disk is full: ${free}, at least 100 MiB needed`, fix);
  } else if (bytes < freeBytesWarn) {
    diagnosis.warn("data.space", `The disk is nearly full: ${free}`, fix);
  } else {
    diagnosis.ok("data.space", `Disk: ${free}`);
  }
}

/** The files (secrets, codes in mails, addresses) are for one user only. */
function diagnoseModes(diagnosis: Diagnosis, path: string): void {
  const names = readdirSync(path).filter((name) => /\.(?:secret|sqlite)/.test(name));
  const files = names.slice(0, filesMax).map((name) => join(path, name));
  const readable = files.filter(isOpenToOthers);
  for (const file of readable) {
    diagnosis.fault("data.modes", `Others may read or write ${file}`, `chmod 600 ${file}`);
  }
  if (isOpenToOthers(path)) {
    diagnosis.warn("data.modes", `Others may list ${path}`, `chmod 700 ${path}`);
  } else if (readable.length === 0) {
    diagnosis.ok("data.modes", "Only this user may read it");
  }
}

/** Also false when a running service has just removed it. */
function isOpenToOthers(path: string): boolean {
  const mode = statSync(path, { throwIfNoEntry: false })?.mode ?? 0;
  return (mode & 0o077) !== 0;
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The directory in which the first start would create it. */
function nearest(path: string): string {
  let place = dirname(path);
  while (!existsSync(place) && dirname(place) !== place) place = dirname(place);
  return place;
}

async function readFreeBytes(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(path);
  return bavail * bsize;
}

function formatBytes(bytes: number): string {
  const mebibytes = bytes / mebibyte;
  return mebibytes < 1024 ? `${Math.floor(mebibytes)} MiB` : `${(mebibytes / 1024).toFixed(1)} GiB`;
}

const answerTimeoutMs = 3000;

interface ServicePort {
  /** "serve-email" */
  readonly name: string;
  readonly port: number;
  /** AUTH_SERVICE_PORT or EMAIL_SERVICE_PORT. */
  readonly variable: string;
}

/**
 * Checks whether the service runs on this machine and is ready; if not, whether its port is free.
 */
export async function diagnoseServicePort(
  { name, port, variable }: ServicePort,
  diagnosis: Diagnosis,
): Promise<void> {
  if (port === 0) return; // any free one
  const ready = await readReadiness(`http://127.0.0.1:${port}/readyz`);
  const check = `service.${name}`;
  if (ready === undefined) {
    diagnosis.ok(check, `${name} is not running on port ${port} of this machine`);
  } else if (ready === "not_ours") {
    const fix = `Stop that program, or set ${variable} to another port`;
    diagnosis.fault(check, `Port ${port} of ${name} is in use by another program`, fix);
  } else if (ready.length === 0) {
    diagnosis.ok(check, `${name} is running on port ${port} and ready`);
  } else {
    const text = `${name} is running on port ${port} and not ready: ${ready.join("; ")}`;
    diagnosis.fault(check, text, "Fix that; the service recovers by itself");
  }
}

/** Why it is not ready; empty: it is. Undefined: nothing listens. */
async function readReadiness(url: string): Promise<readonly string[] | "not_ours" | undefined> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(answerTimeoutMs) });
    const answer: unknown = await response.json();
    const { status, reasons } = answer as { status?: unknown; reasons?: unknown };
    if (status === "ready") return [];
    if (status !== "not_ready") return "not_ours";
    return Array.isArray(reasons) ? reasons.map(String) : ["it gives no reason"];
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    return code === "ConnectionRefused" || code === "ECONNREFUSED" ? undefined : "not_ours";
  }
}
