import net from "node:net";
import tls from "node:tls";
import { readExpiry } from "../../../core/diagnosis.ts";
import { errorMessage } from "../../../core/errors.ts";
import { WireReader, wireInt16, wireInt32, wireText } from "./wire-reader.ts";

const apiVersionsKey = 18;
const answerBytesMax = 64 * 1024;

export interface BrokerAddress {
  readonly host: string;
  readonly port: number;
}

interface KnockOptions {
  readonly ssl: boolean;
  /** PEM; undefined: the public authorities. */
  readonly ca: string | undefined;
  readonly timeoutMs: number;
}

/** Each API that a broker speaks: its number, and the versions of it. */
export type BrokerApis = ReadonlyMap<number, { readonly min: number; readonly max: number }>;

/** Who opened the door. */
export type Knock =
  | { readonly kind: "broker"; readonly apis: BrokerApis; readonly expiresAt: number | undefined }
  /** Nobody, and why: the socket's or the TLS library's code ("ECONNREFUSED", "ETIMEDOUT"). */
  | { readonly kind: "closed"; readonly code: string; readonly reason: string }
  | { readonly kind: "untrusted"; readonly code: string }
  | { readonly kind: "speaks_tls" }
  | { readonly kind: "stranger" };

/**
 * Asks one broker which APIs it speaks, which needs no login: tells what kafkajs does not, namely
 * who is there, whether it speaks TLS and what its certificate is worth. Never rejects.
 */
export function knock(address: BrokerAddress, options: KnockOptions): Promise<Knock> {
  return new Promise((resolve) => {
    const socket = connect(address, options);
    const timer = setTimeout(
      () => settle({ kind: "closed", code: "ETIMEDOUT", reason: "no answer in time" }),
      options.timeoutMs,
    );
    const settle = (answer: Knock) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    let received = Buffer.alloc(0);
    socket.on("error", (error) => {
      const code = "code" in error ? String(error.code) : "";
      settle({ kind: "closed", code, reason: errorMessage(error) });
    });
    socket.once("close", () =>
      settle({ kind: "closed", code: "ECONNRESET", reason: "it closed the connection" }),
    );
    socket.once(options.ssl ? "secureConnect" : "connect", () => {
      if (socket instanceof tls.TLSSocket && !socket.authorized) {
        settle({ kind: "untrusted", code: String(socket.authorizationError) });
        return;
      }
      socket.write(apiVersionsRequest);
    });
    socket.on("data", (bytes: Buffer) => {
      received = Buffer.concat([received, bytes]);
      const answer = readAnswer(received);
      if (answer === undefined) return;
      const expiresAt = socket instanceof tls.TLSSocket ? readExpiry(socket) : undefined;
      settle(answer.kind === "broker" ? { ...answer, expiresAt } : answer);
    });
  });
}

function connect({ host, port }: BrokerAddress, { ssl, ca }: KnockOptions): net.Socket {
  if (!ssl) return net.connect({ host, port });
  const name = net.isIP(host) === 0 ? { servername: host } : {};
  // What is wrong with the certificate is the answer we want, so the handshake may go on.
  return tls.connect({ host, port, ...name, ...(ca ? { ca } : {}), rejectUnauthorized: false });
}

const apiVersionsRequest = withLength(
  Buffer.concat([wireInt16(apiVersionsKey), wireInt16(0), wireInt32(1), wireText("instant")]),
);

function withLength(body: Buffer): Buffer {
  return Buffer.concat([wireInt32(body.length), body]);
}

/** Undefined: more bytes are needed. */
function readAnswer(bytes: Buffer): Knock | undefined {
  if (bytes[0] === 0x15 && bytes[1] === 0x03) return { kind: "speaks_tls" }; // a TLS alert
  if (bytes.length < 4) return undefined;
  const length = bytes.readInt32BE(0);
  if (length < 10 || length > answerBytesMax) return { kind: "stranger" };
  if (bytes.length < 4 + length) return undefined;
  const reader = new WireReader(bytes.subarray(4, 4 + length));
  try {
    const [correlation, error] = [reader.int32(), reader.int16()];
    if (correlation !== 1 || error !== 0) return { kind: "stranger" };
    const apis = reader.list(() => {
      const [key, min, max] = [reader.int16(), reader.int16(), reader.int16()];
      return [key, { min, max }] as const;
    });
    return { kind: "broker", apis: new Map(apis), expiresAt: undefined };
  } catch (error) {
    if (error instanceof RangeError) return { kind: "stranger" };
    throw error;
  }
}
