import { Socket } from "node:net";
import { join } from "node:path";
import { ConnectionPool } from "../../src/email/mailer/smtp/pool.ts";
import { codeEvent } from "../../support/events.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import type { DeliveryRigOptions } from "./delivery-rig.ts";
import { openDeliveryRig } from "./delivery-rig.ts";

const root = join(import.meta.dir, "../..");
const ownFrame = new RegExp(`\\(${root}/(src/[^:)]+):`);

/** Our own frames of the stack at this line, as "function (file)", the innermost first. */
function ownFrames(): string[] {
  return (new Error().stack ?? "").split("\n").flatMap((line) => {
    const file = ownFrame.exec(line)?.[1];
    return file === undefined ? [] : `${line.trim().split(" (")[0]} (${file})`;
  });
}

interface FramesOfMail {
  /** From the event log's batch to its handler. */
  readonly toHandler: readonly string[];
  /** From the handler to the queue of the SMTP client. */
  readonly toClient: readonly string[];
  /** From there, or from a reply of the server, to the socket: the deepest write of the mail. */
  readonly toSocket: readonly string[];
}

/** The frames of one mail; those that only await the next one are counted as well. */
export async function measureFrames(engines: DeliveryRigOptions): Promise<FramesOfMail> {
  await using rig = await openDeliveryRig(engines);
  const { write } = Socket.prototype;
  const { add } = ConnectionPool.prototype;
  const { stackTraceLimit } = Error;
  const writes: string[][] = [];
  let toHandler: string[] = [];
  let toClient: string[] = [];
  const subscribe = rig.eventLog.subscribe.bind(rig.eventLog);
  rig.eventLog.subscribe = (options) =>
    subscribe({
      ...options,
      handle: (...handed) => {
        toHandler = ownFrames();
        return options.handle(...handed);
      },
    });
  Error.stackTraceLimit = 200;
  ConnectionPool.prototype.add = function (this: ConnectionPool, ...given) {
    toClient = ownFrames();
    add.apply(this, given);
  };
  Socket.prototype.write = function (this: Socket, ...given: Parameters<Socket["write"]>) {
    writes.push(ownFrames());
    return write.apply(this, given);
  } as Socket["write"];
  try {
    await rig.startWorker();
    await rig.publish(codeEvent());
    await rig.untilDrained();
  } finally {
    Socket.prototype.write = write;
    ConnectionPool.prototype.add = add;
    Error.stackTraceLimit = stackTraceLimit;
  }
  const [deepest = []] = writes.toSorted((a, b) => b.length - a.length);
  return { toHandler, toClient, toSocket: deepest };
}

const mailsMany = 21;

/**
 * The files of `src` of which lines ran for each mail, from the event log's batch to the SMTP
 * server's answer: by the hits that 20 more mails add, less those that publishing them costs.
 */
export async function measureFiles(): Promise<readonly string[]> {
  const many = await countLines({ mails: mailsMany, delivers: true });
  const one = await countLines({ mails: 1, delivers: true });
  const published = await countLines({ mails: mailsMany - 1, delivers: false });
  const files = [...many].filter(([line, hits]) => {
    const once = (one.get(line) ?? 0) + (published.get(line) ?? 0);
    return line.startsWith("src/") && hits - once >= mailsMany / 2;
  });
  return [...new Set(files.map(([line]) => line.slice(0, line.lastIndexOf(":"))))].sort();
}

/** Hits by "file:line". */
async function countLines(given: {
  readonly mails: number;
  readonly delivers: boolean;
}): Promise<ReadonlyMap<string, number>> {
  using directory = temporaryDirectory();
  const child = Bun.spawn(
    [
      ...[process.execPath, "test", "--coverage", "--coverage-reporter=lcov"],
      ...[`--coverage-dir=${directory.path}`, "./tests/support/mail-path-child.ts"],
    ],
    {
      cwd: root,
      env: {
        ...process.env,
        MAIL_PATH_MAILS: String(given.mails),
        MAIL_PATH_DELIVERS: given.delivers ? "yes" : "no",
      },
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
    },
  );
  const stderr = await new Response(child.stderr).text();
  if ((await child.exited) !== 0) throw new Error(stderr);
  const hits = new Map<string, number>();
  let file = "";
  for (const line of (await Bun.file(join(directory.path, "lcov.info")).text()).split("\n")) {
    const [name, value = ""] = line.split(":");
    const [at, count] = value.split(",");
    if (name === "SF") file = value;
    else if (name === "DA") hits.set(`${file}:${at}`, Number(count));
  }
  return hits;
}
