import { constants } from "node:fs";
import { access, readdir, stat, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Diagnosis } from "../core/diagnosis.ts";

const mebibyte = 1024 * 1024;
/** Below it SQLite and the system begin to fail; well above it there is time to act. */
const freeBytesMin = 100 * mebibyte;
const freeBytesWarn = 1024 * mebibyte;
const filesMax = 50;

interface DataDirectoryOptions {
  readonly path: string;
  /** Free bytes for us on the disk of a path; asked of the system when left out. */
  readonly freeBytes?: (path: string) => Promise<number>;
}

/** DATA_DIR: it can be written, others cannot read it, and its disk is not full. */
export async function diagnoseDataDirectory(
  diagnosis: Diagnosis,
  { path, freeBytes = readFreeBytes }: DataDirectoryOptions,
): Promise<void> {
  const exists = await isThere(path);
  const place = exists ? path : await nearest(path);
  if (!(await isWritable(place))) {
    const fix = `Give it to the user that runs the program: chown <user> ${place}`;
    diagnosis.fault("data.writable", `${place} cannot be written`, fix);
  } else if (!exists) {
    diagnosis.ok("data.writable", "Not there yet; the first start makes it");
  } else {
    await diagnoseModes(diagnosis, path);
  }
  diagnoseSpace(diagnosis, place, await freeBytes(place));
}

function diagnoseSpace(diagnosis: Diagnosis, place: string, bytes: number): void {
  const free = `${formatBytes(bytes)} free`;
  const fix = `Make room on the disk of ${place} (df -h ${place}), or move DATA_DIR`;
  if (bytes < freeBytesMin) {
    diagnosis.fault("data.space", `The disk is full: ${free}, at least 100 MiB are needed`, fix);
  } else if (bytes < freeBytesWarn) {
    diagnosis.warn("data.space", `The disk is nearly full: ${free}`, fix);
  } else {
    diagnosis.ok("data.space", `Disk: ${free}`);
  }
}

/** What stands here (secrets, codes in mails, addresses) is for one user only. */
async function diagnoseModes(diagnosis: Diagnosis, path: string): Promise<void> {
  const names = (await readdir(path)).filter((name) => /\.(?:secret|sqlite)/.test(name));
  const readable: string[] = [];
  for (const name of names.slice(0, filesMax)) {
    const file = join(path, name);
    // A file that a running service removed meanwhile is nobody's to read.
    const mode = await stat(file).then(
      (found) => found.mode,
      () => 0,
    );
    if ((mode & 0o077) !== 0) readable.push(file);
  }
  for (const file of readable) {
    diagnosis.fault("data.modes", `Others may read or write ${file}`, `chmod 600 ${file}`);
  }
  const { mode } = await stat(path);
  if ((mode & 0o077) !== 0) {
    diagnosis.warn("data.modes", `Others may look into ${path}`, `chmod 700 ${path}`);
  } else if (readable.length === 0) {
    diagnosis.ok("data.modes", "Only this user may read it");
  }
}

function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

function isWritable(path: string): Promise<boolean> {
  return access(path, constants.W_OK | constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** The directory in which the first start would make it. */
async function nearest(path: string): Promise<string> {
  let place = dirname(path);
  while (!(await isThere(place)) && dirname(place) !== place) place = dirname(place);
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

/** Whether the service runs on this machine and what it says of itself; if not, whether it can. */
export async function diagnoseServicePort(
  { name, port, variable }: ServicePort,
  diagnosis: Diagnosis,
): Promise<void> {
  if (port === 0) return; // any free one
  const ready = await readReadiness(`http://127.0.0.1:${port}/readyz`);
  const check = `service.${name}`;
  if (ready === undefined) {
    diagnosis.ok(check, `${name} does not run on port ${port} of this machine`);
  } else if (ready === "stranger") {
    const fix = `End that one, or set ${variable} to another port`;
    diagnosis.fault(check, `Port ${port} of ${name} is taken by another program`, fix);
  } else if (ready.length === 0) {
    diagnosis.ok(check, `${name} runs on port ${port} and is ready`);
  } else {
    const text = `${name} runs on port ${port} and waits: ${ready.join("; ")}`;
    diagnosis.fault(check, text, "Mend what it waits for; it goes on by itself");
  }
}

/** Why it is not ready; empty: it is. Undefined: nothing listens. */
async function readReadiness(url: string): Promise<readonly string[] | "stranger" | undefined> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(answerTimeoutMs) });
    const answer: unknown = await response.json();
    const { status, reasons } = answer as { status?: unknown; reasons?: unknown };
    if (status === "ready") return [];
    if (status !== "not_ready") return "stranger";
    return Array.isArray(reasons) ? reasons.map(String) : ["it does not say for what"];
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    return code === "ConnectionRefused" || code === "ECONNREFUSED" ? undefined : "stranger";
  }
}
