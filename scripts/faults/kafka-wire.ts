import type { Wire } from "./wire.ts";

export interface KafkaRequest {
  /** Undefined: another one. */
  readonly api: KafkaApi | undefined;
  /** Whether it comes from a member of a group: a heartbeat went by on the same connection. */
  readonly isMember: boolean;
  /** Whether it names this topic or group. */
  names(text: string): boolean;
}

/** Kafka's numbers of requests (the protocol's "api keys"). */
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
