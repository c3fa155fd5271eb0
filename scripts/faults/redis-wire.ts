import type { Wire } from "./wire.ts";

/** A command as its arguments: ["EVALSHA", "<sha>", "1", "email:sent:…", …]. */
export type RedisCommand = readonly string[];

/** Redis' protocol, RESP 2 and 3, as far as it is needed to tell where a message ends. */
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
  const words: string[] = [];
  let at = bytes.indexOf("\r\n") + 2;
  while (at < bytes.length) {
    const line = bytes.indexOf("\r\n", at);
    const length = Number(bytes.toString("latin1", at + 1, line));
    words.push(bytes.toString("utf8", line + 2, line + 2 + length));
    at = line + 2 + length + 2;
  }
  return words;
}
