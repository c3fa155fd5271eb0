import { errorMessage } from "../errors.ts";

/**
 * An error reply that says how this server stands, not what the call did wrong. The call wrote
 * nothing.
 * - `elsewhere`: another server takes the writes now (a fail-over, a wrong address), or this one
 *   takes nobody like us: the name is looked up and connected to anew.
 * - `wait`: the same server will answer in a while: asked again on the same connection.
 * - `again`: this call alone, in a moment.
 * - `unwritable`: it is the right server and it says why it takes no writes; it still answers reads.
 */
export interface Refusal {
  readonly kind: "elsewhere" | "wait" | "again" | "unwritable";
  /** The server's own, from the code on: "READONLY You can't write against a read only replica." */
  readonly reply: string;
}

/** The first word of the reply: Redis' own, Valkey's, and those of a cluster of one shard. */
const kinds: Readonly<Record<string, Refusal["kind"]>> = {
  READONLY: "elsewhere",
  MOVED: "elsewhere",
  REDIRECT: "elsewhere",
  CLUSTERDOWN: "elsewhere",
  MASTERDOWN: "elsewhere",
  NOAUTH: "elsewhere",
  LOADING: "wait",
  BUSY: "wait",
  TRYAGAIN: "again",
  UNBLOCKED: "again",
  MISCONF: "unwritable",
  OOM: "unwritable",
  NOREPLICAS: "unwritable",
};

/**
 * The code is the reply's first word, or follows where a script failed: before Redis 7 as "ERR Error
 * running script (call to f_…): @user_script:1: @user_script: 1: -READONLY You can't write …".
 */
const codePattern = new RegExp(`(?:^|[\\s:])-?(${Object.keys(kinds).join("|")})(?=[\\s:]|$)`);
/** Where in the script it was, which says nothing to who runs the server. */
const scriptPlace = /\s*script: [0-9a-f]{40}.*$/s;
const replyCharsMax = 200;

/** Undefined for any other failure. */
export function findRefusal(error: unknown): Refusal | undefined {
  const message = replyWords(error);
  const found = codePattern.exec(message);
  const [whole = "", code = ""] = found ?? [];
  const kind = kinds[code];
  if (found === null || kind === undefined) return undefined;
  const isScriptFailure = /^(?:ERR|@?user_script)/.test(message);
  if (found.index > 0 && !isScriptFailure) return undefined;
  const from = found.index + whole.length - code.length;
  return { kind, reply: message.slice(from) };
}

/** The server said it, not the network or this client. */
export function isReply(error: unknown): boolean {
  return error instanceof Error && error.name === "ReplyError";
}

/** What it said, without the arguments that a server quotes back: they may be a password or a code. */
export function replyWords(error: unknown): string {
  return errorMessage(error)
    .replace(scriptPlace, "")
    .replace(/,? with args beginning with.*$/s, "")
    .slice(0, replyCharsMax);
}
