/** Moments in a conversation, recognised from its bytes. */

/** A write of this state to the ledger. */
export function writesState(state: "claimed" | "submitting" | "accepted") {
  const words = Buffer.from(`"state":"${state}"`);
  return (chunk: Buffer) => chunk.includes("email:sent:") && chunk.includes(words);
}

/** Kafka's numbers of requests (the protocol's "api keys"). */
export const kafkaApi = { produce: 0, offsetCommit: 8, joinGroup: 11 } as const;

/** A request of this kind: a frame is its length (int32), then the api key (int16). */
export function isKafkaRequest(api: number) {
  return (chunk: Buffer) => {
    for (let at = 0; at + 6 <= chunk.length; at += 4 + chunk.readInt32BE(at)) {
      if (chunk.readInt16BE(at + 4) === api) return true;
      if (chunk.readInt32BE(at) <= 0) return false;
    }
    return false;
  };
}
