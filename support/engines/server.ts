import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { connect, createServer } from "node:net";

/** A process, told apart from a later one with the same number by when it began. */
interface ProcessMark {
  readonly pid: number;
  readonly begun: string;
}

interface StartOptions {
  /** Its output is appended here. */
  readonly log: string;
  readonly directory: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly user?: { readonly uid: number; readonly gid: number };
}

/** Starts a process in a session of its own, so that it outlives the shell that asked for it. */
export function startDetached(command: readonly string[], options: StartOptions): ProcessMark {
  const [program = "", ...parameters] = command;
  const output = openSync(options.log, "a", 0o600);
  const child = spawn(program, parameters, {
    cwd: options.directory,
    detached: true,
    stdio: ["ignore", output, output],
    env: { ...process.env, ...options.environment },
    ...options.user,
  });
  child.on("error", () => {}); // no pid then, which is what is reported
  closeSync(output);
  child.unref();
  if (child.pid === undefined) throw new Error(`${program} could not be started`);
  return { pid: child.pid, begun: readBegun(child.pid) ?? "" };
}

export function isRunning(mark: ProcessMark): boolean {
  const begun = readBegun(mark.pid);
  return begun !== undefined && begun === mark.begun;
}

/**
 * Asks a process to end and waits; after `graceMs` it is killed. Resolves true when it ended by
 * itself. A process that is gone already, or whose number another one has now, is left alone.
 */
export async function endProcess(
  mark: ProcessMark,
  options: { readonly signal: NodeJS.Signals; readonly graceMs: number },
): Promise<boolean> {
  if (!isRunning(mark)) return true;
  process.kill(mark.pid, options.signal);
  const givenUpAt = Date.now() + options.graceMs;
  while (isRunning(mark)) {
    if (Date.now() > givenUpAt) {
      process.kill(mark.pid, "SIGKILL");
      return false;
    }
    await Bun.sleep(50);
  }
  return true;
}

/** When a process began, as its system tells it; undefined when there is none (or a zombie). */
function readBegun(pid: number): string | undefined {
  if (process.platform !== "linux") return askPs(pid);
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name in parentheses may hold blanks: the numbered fields begin after it, at the third.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

function askPs(pid: number): string | undefined {
  const asked = Bun.spawnSync(["ps", "-o", "lstart=", "-p", String(pid)]);
  return asked.stdout.toString().trim() || undefined;
}

export const serverNames = ["kafka", "redis", "postgres", "smtp"] as const;
export type ServerName = (typeof serverNames)[number];

/** The variables by which the program finds a server: `{ KAFKA_BROKERS: "127.0.0.1:9092" }`. */
export type Variables = Readonly<Record<string, string>>;

/** How a server came to be there. Only what we started is ever ended by us. */
type Origin =
  | { readonly kind: "given" }
  | { readonly kind: "docker"; readonly container: string }
  | { readonly kind: "process"; readonly process: ProcessMark; readonly log: string };

export interface Server {
  readonly name: ServerName;
  readonly variables: Variables;
  readonly origin: Origin;
}

/** Where a recipe may work, and how it speaks to the person. */
export interface Workshop {
  readonly repository: string;
  /** The server's own folder, kept until `down --wipe`: data, settings, password. */
  readonly directory: string;
  /** Where the process writes what it has to say. */
  readonly log: string;
  print(line: string): void;
}

export interface DockerRun {
  readonly image: string;
  /** The port inside the container. */
  readonly port: number;
  readonly environment: Variables;
  readonly command: readonly string[];
  readonly variables: Variables;
}

/** How one kind of server is found, asked and started. */
export interface Recipe {
  readonly name: ServerName;
  readonly usualPort: number;
  /** The variable by which a person points to a server of their own. */
  readonly variable: string;
  /** What the caller's environment points to; undefined when it points to nothing. */
  findGiven(environment: Readonly<Record<string, string | undefined>>): Variables | undefined;
  /** Whether a server of this kind answers there; false after two seconds. */
  answers(variables: Variables): Promise<boolean>;
  /** Undefined where a container makes no sense. */
  planDocker?(hostPort: number, directory: string): DockerRun;
  /** Starts a process; the caller waits until it answers. Throws when something it needs is missing. */
  start(workshop: Workshop): Promise<{ variables: Variables; process: ProcessMark }>;
}

const answerDeadlineMs = 2_000;

interface Address {
  readonly host: string;
  readonly port: number;
}

/** "host:port", or the first of several; IPv6 in brackets. */
export function parseAddress(text: string, usualPort: number): Address {
  const first = text.split(",")[0]?.trim() ?? "";
  const match = /^\[?(.*?)\]?(?::(\d+))?$/.exec(first);
  return { host: match?.[1] || "localhost", port: Number(match?.[2] ?? usualPort) };
}

export function parseUrlAddress(url: string, usualPort: number): Address {
  const { hostname, port } = new URL(url);
  return { host: hostname.replace(/^\[|\]$/g, "") || "localhost", port: Number(port || usualPort) };
}

/** ApiVersions, version 0: every broker since 0.10 answers it, before any login too. */
export function answersKafka(address: Address): Promise<boolean> {
  const question = Buffer.from([0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 0xff, 0xff]);
  return converse(address, question, (answer) =>
    answer.length >= 8 ? answer.readUInt32BE(4) === 7 : undefined,
  );
}

/** A server that wants a password first answers too. */
export function answersRedis(address: Address): Promise<boolean> {
  return converse(address, Buffer.from("PING\r\n"), (answer) =>
    answer.includes("\n") ? /^(?:\+PONG|-NOAUTH)/.test(answer.toString()) : undefined,
  );
}

/** SSLRequest, which is answered with one letter before any login. */
export function answersPostgres(address: Address): Promise<boolean> {
  const question = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);
  return converse(address, question, (answer) =>
    answer.length > 0 ? /^[SN]/.test(answer.toString("latin1")) : undefined,
  );
}

export function answersSmtp(address: Address): Promise<boolean> {
  return converse(address, undefined, (answer) =>
    answer.length >= 4 ? answer.toString("latin1").startsWith("220") : undefined,
  );
}

/**
 * Sends the question and gives all that came back to `judge` until it decides (undefined: not
 * yet). No connection, a close before the decision, or two seconds without one mean false.
 */
function converse(
  { host, port }: Address,
  question: Buffer | undefined,
  judge: (answer: Buffer) => boolean | undefined,
): Promise<boolean> {
  return new Promise((resolve) => {
    let answer: Buffer = Buffer.alloc(0);
    const socket = connect({ host, port });
    const decide = (verdict: boolean) => {
      socket.destroy();
      resolve(verdict);
    };
    socket.setTimeout(answerDeadlineMs, () => decide(false));
    socket.on("error", () => decide(false));
    socket.on("close", () => decide(false));
    socket.on("connect", () => question && socket.write(question));
    socket.on("data", (bytes) => {
      answer = Buffer.concat([answer, Buffer.from(bytes)]);
      const verdict = judge(answer);
      if (verdict !== undefined) decide(verdict);
    });
  });
}

/** The usual port when it is free on 127.0.0.1, else any free one. */
export async function choosePort(usual: number): Promise<number> {
  return (await tryPort(usual)) ?? (await tryPort(0)) ?? usual;
}

/** Listens for a moment to learn whether a port is free; 0 asks the system for one. */
function tryPort(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(undefined));
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => {
      const address = server.address();
      const chosen = typeof address === "object" && address !== null ? address.port : undefined;
      server.close(() => resolve(chosen));
    });
  });
}
