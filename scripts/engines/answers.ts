import { connect } from "node:net";

const answerDeadlineMs = 2_000;

export interface Address {
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
