/**
 * How a proxy finds the messages in the streams of one connection. Replies come in the order of
 * their requests. One per connection: it may remember what went by.
 */
export interface Wire<Request> {
  /** How long the first request in `bytes` is; undefined: not all of it is here. */
  requestLength(bytes: Buffer): number | undefined;
  replyLength(bytes: Buffer): number | undefined;
  readRequest(bytes: Buffer): Request;
}

/** The whole messages at the beginning of `bytes`, and what is left. */
export function cut(
  bytes: Buffer,
  length: (bytes: Buffer) => number | undefined,
): { readonly messages: readonly Buffer[]; readonly rest: Buffer } {
  const messages: Buffer[] = [];
  let rest = bytes;
  for (let next = length(rest); next !== undefined; next = length(rest)) {
    messages.push(rest.subarray(0, next));
    rest = rest.subarray(next);
  }
  return { messages, rest };
}
