const polynomial = 0x82f63b78; // Castagnoli's, reflected
const stride = 8;

/** For each n below 8, at 256 n: the remainder of a byte that n bytes follow. */
const remainders = new Int32Array(stride * 256);
for (let byte = 0; byte < 256; byte += 1) {
  let remainder = byte;
  for (let bit = 0; bit < 8; bit += 1) {
    remainder = (remainder >>> 1) ^ (remainder & 1 ? polynomial : 0);
  }
  remainders[byte] = remainder;
}
for (let index = 256; index < remainders.length; index += 1) {
  const before = remainders[index - 256] ?? 0;
  remainders[index] = (before >>> 8) ^ (remainders[before & 0xff] ?? 0);
}

/**
 * CRC-32C of the bytes from `from` on, which is the checksum of a record batch: eight bytes a step,
 * for which it takes a quarter of the time that a byte a step takes.
 */
export function crc32c(bytes: Uint8Array, from = 0): number {
  const { length } = bytes;
  let crc = -1;
  let at = from;
  for (; at + stride <= length; at += stride) {
    crc ^= (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
    crc ^= ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24);
    crc =
      (remainders[1792 + (crc & 0xff)] ?? 0) ^
      (remainders[1536 + ((crc >>> 8) & 0xff)] ?? 0) ^
      (remainders[1280 + ((crc >>> 16) & 0xff)] ?? 0) ^
      (remainders[1024 + (crc >>> 24)] ?? 0) ^
      (remainders[768 + (bytes[at + 4] ?? 0)] ?? 0) ^
      (remainders[512 + (bytes[at + 5] ?? 0)] ?? 0) ^
      (remainders[256 + (bytes[at + 6] ?? 0)] ?? 0) ^
      (remainders[bytes[at + 7] ?? 0] ?? 0);
  }
  for (; at < length; at += 1) {
    crc = (remainders[(crc ^ (bytes[at] ?? 0)) & 0xff] ?? 0) ^ (crc >>> 8);
  }
  return ~crc >>> 0;
}
