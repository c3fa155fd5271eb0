/**
 * MurmurHash2 as in Kafka's Java client (`Utils.murmur2`): a signed 32-bit number. Clients that
 * partition by it agree on the partition of a key.
 */
export function murmur2(bytes: Uint8Array): number {
  const m = 0x5bd1e995;
  const { length } = bytes;
  const view = new DataView(bytes.buffer, bytes.byteOffset, length);
  let hash = 0x9747b28c ^ length;
  let at = 0;
  for (; at + 4 <= length; at += 4) {
    let word = Math.imul(view.getInt32(at, true), m);
    word ^= word >>> 24;
    hash = Math.imul(hash, m) ^ Math.imul(word, m);
  }
  if (at < length) {
    for (let shift = 0; at < length; at += 1, shift += 8) hash ^= view.getUint8(at) << shift;
    hash = Math.imul(hash, m);
  }
  hash ^= hash >>> 13;
  hash = Math.imul(hash, m);
  return hash ^ (hash >>> 15);
}

/** The partition that Kafka's default partitioner chooses for a key. */
export function partitionOfKey(key: Uint8Array, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions;
}
