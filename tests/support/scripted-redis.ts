import type { Socket } from "bun";

/** A server of Redis' protocol that answers each command with what it is told to. */
interface ScriptedRedis extends AsyncDisposable {
  readonly port: number;
  readonly host: string;
  /** How many connections it was given so far. */
  readonly connections: number;
  /** Commands in the order they came, in upper case. */
  readonly commands: readonly string[];
  /** The reply as it stands on the wire, without its end: "-LOADING …", ":1", "+OK". */
  answer(reply: (command: string) => string): void;
  /** What SELECT is answered with; "+OK" until then. An empty reply is none. */
  select(reply: () => string): void;
  /** Ends all connections. */
  cut(): void;
}

/** A server that loads, or is a replica, answers these all the same. */
const handshake: Readonly<Record<string, string>> = {
  HELLO: "-NOPROTO unsupported protocol version",
  CLIENT: "+OK",
};

export function openScriptedRedis(reply: (command: string) => string): ScriptedRedis {
  let [answer, select, connections] = [reply, () => "+OK", 0];
  const sockets = new Set<Socket<{ buffered: string }>>();
  const replyTo = (command: string) =>
    command === "SELECT" ? select() : (handshake[command] ?? answer(command));
  const commands: string[] = [];
  const listener = Bun.listen<{ buffered: string }>({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open: (socket) => {
        connections += 1;
        sockets.add(socket);
        socket.data = { buffered: "" };
      },
      close: (socket) => void sockets.delete(socket),
      data: (socket, bytes) => {
        socket.data.buffered += bytes.toString();
        for (const command of takeCommands(socket)) {
          commands.push(command);
          const said = replyTo(command);
          if (said !== "") socket.write(`${said}\r\n`);
        }
      },
    },
  });
  return {
    host: "127.0.0.1",
    port: listener.port,
    get connections() {
      return connections;
    },
    commands,
    answer: (next) => {
      answer = next;
    },
    select: (next) => {
      select = next;
    },
    cut: () => {
      for (const socket of sockets) socket.terminate();
    },
    [Symbol.asyncDispose]: async () => listener.stop(true),
  };
}

/** The names of the whole commands in the buffer, which are removed from it. */
function takeCommands(socket: Socket<{ buffered: string }>): string[] {
  const taken: string[] = [];
  for (;;) {
    const { buffered } = socket.data;
    const count = Number(/^\*(\d+)\r\n/.exec(buffered)?.[1] ?? 0);
    const parts = buffered.split("\r\n");
    if (count === 0 || parts.length < 2 * count + 2) return taken;
    taken.push((parts[2] ?? "").toUpperCase());
    socket.data.buffered = parts.slice(2 * count + 1).join("\r\n");
  }
}
