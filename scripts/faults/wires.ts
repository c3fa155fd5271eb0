/** Redis' and Kafka's protocols, as far as the proxies need them. */
import type { Wire } from "./proxy.ts";

/** A command as its arguments: ["EVALSHA", "<sha>", "1", "email:sent:…", …]. */
export type RedisCommand = readonly string[];

/** Redis' protocol, RESP 2 and 3, as far as needed to find where a message ends. */
export function createRedisWire(): Wire<RedisCommand> {
  const length = (bytes: Buffer) => endOfValue(bytes, 0);
  return { requestLength: length, replyLength: length, readRequest };
}

function endOfValue(bytes: Buffer, start: number): number | undefined {
  const line = bytes.indexOf("\r\n", start);
  if (line < 0) return undefined;
  const next = line + 2;
  const count = Number(bytes.toString("latin1", start + 1, line));
  switch (String.fromCharCode(bytes[start] ?? 0)) {
    case "$":
    case "=":
    case "!": {
      const end = count < 0 ? next : next + count + 2;
      return end <= bytes.length ? end : undefined;
    }
    case "*":
    case "~":
    case ">":
      return endOfValues(bytes, next, count);
    case "%":
      return endOfValues(bytes, next, 2 * count);
    default: // + - : _ # , ( are one line each
      return next;
  }
}

function endOfValues(bytes: Buffer, start: number, count: number): number | undefined {
  let end: number | undefined = start;
  for (let done = 0; done < count && end !== undefined; done += 1) end = endOfValue(bytes, end);
  return end;
}

/** Clients send every command as an array of bulk strings. */
function readRequest(bytes: Buffer): RedisCommand {
  const parts: string[] = [];
  let at = bytes.indexOf("\r\n") + 2;
  while (at < bytes.length) {
    const line = bytes.indexOf("\r\n", at);
    const length = Number(bytes.toString("latin1", at + 1, line));
    parts.push(bytes.toString("utf8", line + 2, line + 2 + length));
    at = line + 2 + length + 2;
  }
  return parts;
}

export interface KafkaRequest {
  /** Undefined: any other. */
  readonly api: KafkaApi | undefined;
  /** Whether a group member sent it: there was a heartbeat on the same connection before. */
  readonly isMember: boolean;
  /** Whether it contains the name of this topic or group. */
  names(text: string): boolean;
}

/** The protocol's "api keys". */
const apiKeys = { produce: 0, offsetCommit: 8, joinGroup: 11, heartbeat: 12 } as const;
export type KafkaApi = keyof typeof apiKeys;

/** Kafka's protocol: each message is its length (int32); a request then begins with its api key. */
export function createKafkaWire(): Wire<KafkaRequest> {
  let isMember = false;
  return {
    requestLength: frameLength,
    replyLength: frameLength,
    readRequest: (frame) => {
      const api = findApi(frame.readInt16BE(4));
      if (api === "heartbeat") isMember = true;
      return { api, isMember, names: (text) => frame.includes(text) };
    },
  };
}

function findApi(key: number): KafkaApi | undefined {
  return (Object.keys(apiKeys) as KafkaApi[]).find((api) => apiKeys[api] === key);
}

function frameLength(bytes: Buffer): number | undefined {
  if (bytes.length < 4) return undefined;
  const length = 4 + bytes.readInt32BE(0);
  return bytes.length < length ? undefined : length;
}
