import { eventually } from "./eventually.ts";
import type { temporaryDirectory } from "./temporary-directory.ts";

/**
 * A server process that belongs to one test, which may treat it badly. It keeps its port and its
 * directory from start to start; it is killed, and its directory removed, when the scope ends.
 */
export interface OwnServer extends AsyncDisposable {
  /** Starts it again after `stop` or `kill`; resolves when it answers. */
  start(): Promise<void>;
  /** SIGTERM: it writes what it holds and ends. */
  stop(): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** SIGSTOP: connections stay open, nothing answers. */
  freeze(): void;
  thaw(): void;
}

interface OwnServerOptions {
  readonly command: readonly string[];
  readonly directory: ReturnType<typeof temporaryDirectory>;
  readonly answers: () => Promise<boolean>;
  readonly startMsMax?: number;
}

/** Started already. Throws when it ends before it answers. */
export async function openOwnServer(options: OwnServerOptions): Promise<OwnServer> {
  const { command, directory, answers, startMsMax } = options;
  let server: Bun.Subprocess | undefined;
  const end = async (signal: NodeJS.Signals) => {
    server?.kill(signal);
    if (signal === "SIGTERM") server?.kill("SIGCONT"); // a frozen one would not receive it
    await server?.exited;
    server = undefined;
  };
  const own: OwnServer = {
    start: async () => {
      const started = Bun.spawn([...command], { stdout: "ignore", stderr: "ignore" });
      server = started;
      const isUp = () => {
        if (started.exitCode !== null) throw new Error(`${command[0]} ended as it started`);
        return answers();
      };
      await eventually(`${command[0]} answers`, isUp, startMsMax);
    },
    stop: () => end("SIGTERM"),
    kill: () => end("SIGKILL"),
    freeze: () => server?.kill("SIGSTOP"),
    thaw: () => server?.kill("SIGCONT"),
    [Symbol.asyncDispose]: async () => {
      await end("SIGKILL");
      directory[Symbol.dispose]();
    },
  };
  await own.start();
  return own;
}

/** Whether anything listens on this port. */
export async function isListening(port: number): Promise<boolean> {
  try {
    const socket = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data: () => {} } });
    socket.end();
    return true;
  } catch {
    return false;
  }
}
