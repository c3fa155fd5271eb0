import net from "node:net";
import tls from "node:tls";

const waitMs = 1000;

/**
 * Who is on a port that did not behave: a server that greets with 220, one that wants TLS before
 * anything else, or something else that speaks. Undefined: nobody says anything. Within 2 s.
 */
export async function sniffPort(address: {
  readonly host: string;
  readonly port: number;
}): Promise<"smtp" | "tls" | "other" | undefined> {
  const { host, port } = address;
  const greeting = await firstWords(net.connect({ host, port }));
  if (greeting !== undefined) return /^220[ -]/.test(greeting) ? "smtp" : "other";
  return (await shakesHands(host, port)) ? "tls" : undefined;
}

function firstWords(socket: net.Socket): Promise<string | undefined> {
  return new Promise((resolve) => {
    const finish = (words: string | undefined) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(words);
    };
    const timer = setTimeout(() => finish(undefined), waitMs);
    socket.once("data", (bytes: Buffer) => finish(bytes.toString("latin1")));
    socket.on("error", () => finish(undefined));
    socket.once("close", () => finish(undefined));
  });
}

function shakesHands(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const name = net.isIP(host) === 0 ? { servername: host } : {};
    // Nothing is sent over it, so whose certificate it is does not matter.
    const socket = tls.connect({ host, port, ...name, rejectUnauthorized: false });
    const finish = (done: boolean) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(done);
    };
    const timer = setTimeout(() => finish(false), waitMs);
    socket.once("secureConnect", () => finish(true));
    socket.on("error", () => finish(false));
    socket.once("close", () => finish(false));
  });
}
