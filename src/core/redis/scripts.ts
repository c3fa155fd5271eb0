// Lua scripts: what they promise, and how the calls of one turn become few commands.
import { createHash } from "node:crypto";
import type { Redis } from "ioredis";

/**
 * A Lua script and the type of its reply. ioredis sends unanswered commands again after a reconnect,
 * and a server that was frozen may still run the first copy: a script must be safe to repeat, at any
 * later time. All its keys must be in one hash slot.
 */
export interface RedisScript<Reply> {
  readonly text: string;
  /** Redis names a script by the SHA-1 of its text. */
  readonly sha: string;
  /**
   * Whether several calls may be merged into one: the keys of all, then the arguments of each in
   * turn, by which the script separates the calls. The reply is a list with an item per call; an
   * item that is an error fails only its own call. A Redis of several shards rejects keys of
   * several slots: there each call is sent on its own. A batch (`scriptAll`) is many calls of one
   * key each.
   */
  readonly merges: boolean;
  /** Never set; only for the type. */
  readonly reply?: Reply;
}

export function redisScript<Reply>(
  text: string,
  { merges = false }: { readonly merges?: boolean } = {},
): RedisScript<Reply> {
  return { text, sha: createHash("sha1").update(text).digest("hex"), merges };
}

export type ScriptArguments = readonly (string | number)[];

interface Call {
  readonly script: RedisScript<unknown>;
  readonly keys: readonly string[];
  readonly args: ScriptArguments;
  /** A call per key, answered together by a list with an item for each; an item may be an error. */
  readonly isBatch: boolean;
  readonly resolve: (reply: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** What is sent as one command. */
interface Command {
  readonly script: RedisScript<unknown>;
  readonly calls: Call[];
}

/**
 * Redis answers a batch as a whole, so this process handles one while Redis works on the next. And
 * Redis is blocked while a script runs. A larger batch goes alone.
 */
const callsPerWriteMax = 50;

/**
 * Sends the scripts of one turn of the event loop in as few writes as possible, without waiting for
 * the answers to the previous ones, as ioredis' own pipelining does, where Redis and this process
 * idle in turns.
 */
export class ScriptRunner {
  readonly #redis: Redis;
  #calls: Call[] = [];
  /** Set once the server has rejected keys of several slots. */
  #isSharded = false;

  constructor(redis: Redis) {
    this.#redis = redis;
  }

  /** Sends the hash, and the text when the server does not know it (restarted, SCRIPT FLUSH). */
  run<Reply>(
    script: RedisScript<unknown>,
    keys: readonly string[],
    args: ScriptArguments,
    isBatch: boolean,
  ): Promise<Reply> {
    return new Promise((resolve, reject) => {
      if (this.#calls.length === 0) setImmediate(() => this.#sendAll());
      const resolveAny = resolve as Call["resolve"];
      this.#calls.push({ script, keys, args, isBatch, resolve: resolveAny, reject });
    });
  }

  #sendAll(): void {
    const calls = this.#calls;
    this.#calls = [];
    let some: Call[] = [];
    let count = 0;
    for (const call of calls) {
      const more = call.isBatch ? call.keys.length : 1;
      if (count > 0 && count + more > callsPerWriteMax) {
        this.#sendSome(some);
        some = [];
        count = 0;
      }
      some.push(call);
      count += more;
    }
    this.#sendSome(some);
  }

  #sendSome(calls: readonly Call[]): void {
    void this.#send(this.#isSharded ? calls.flatMap(separate) : toCommands(calls));
  }

  async #send(commands: readonly Command[]): Promise<void> {
    const pipeline = this.#redis.pipeline();
    for (const command of commands) pipeline.evalsha(command.script.sha, ...parametersOf(command));
    try {
      const results = (await pipeline.exec()) ?? [];
      for (const [index, command] of commands.entries()) {
        const [error, reply] = results[index] ?? [new Error("Connection is closed"), undefined];
        if (!error) settle(command, reply);
        else if (error.message.startsWith("NOSCRIPT")) void this.#sendText(command);
        else if (error.message.startsWith("CROSSSLOT") && isOfMany(command)) {
          this.#isSharded = true;
          void this.#send(command.calls.flatMap(separate));
        } else fail(command, error);
      }
    } catch (error) {
      for (const command of commands) fail(command, error);
    }
  }

  async #sendText(command: Command): Promise<void> {
    try {
      settle(command, await this.#redis.eval(command.script.text, ...parametersOf(command)));
    } catch (error) {
      fail(command, error);
    }
  }
}

function alone(call: Call): Command {
  return { script: call.script, calls: [call] };
}

function isOfMany({ calls: [first, ...more] }: Command): boolean {
  return more.length > 0 || (first?.isBatch === true && first.keys.length > 1);
}

/** A command for each key of a batch, whose list they fill. */
function separate(call: Call): Command[] {
  const { keys, args, isBatch } = call;
  if (!isBatch || keys.length === 1) return [alone(call)];
  const items: unknown[] = [];
  let missing = keys.length;
  return keys.map((key, index) => {
    const perKey = args.length / keys.length;
    const settleOne = (item: unknown) => {
      items[index] = item;
      missing -= 1;
      if (missing === 0) call.resolve(items);
    };
    return alone({
      ...call,
      keys: [key],
      args: args.slice(index * perKey, (index + 1) * perKey),
      isBatch: false,
      resolve: settleOne,
      reject: settleOne,
    });
  });
}

function toCommands(calls: readonly Call[]): Command[] {
  const commands: Command[] = [];
  const open = new Map<RedisScript<unknown>, Command>();
  for (const call of calls) {
    const { script } = call;
    const command = script.merges ? open.get(script) : undefined;
    if (command !== undefined) {
      command.calls.push(call);
      continue;
    }
    const next = alone(call);
    open.set(script, next);
    commands.push(next);
  }
  return commands;
}

function parametersOf({ calls }: Command): [keyCount: number, ...(string | number)[]] {
  const parameters: (string | number)[] = [];
  for (const { keys } of calls) parameters.push(...keys);
  const keyCount = parameters.length;
  for (const { args } of calls) parameters.push(...args);
  return [keyCount, ...parameters];
}

function settle({ script, calls }: Command, reply: unknown): void {
  let at = 0;
  for (const { keys, isBatch, resolve, reject } of calls) {
    if (isBatch) {
      resolve((reply as readonly unknown[]).slice(at, at + keys.length));
      at += keys.length;
      continue;
    }
    const item: unknown = script.merges ? (reply as readonly unknown[])[at] : reply;
    at += 1;
    if (item instanceof Error) reject(item);
    else resolve(item);
  }
}

function fail({ calls }: Command, error: unknown): void {
  for (const { reject } of calls) reject(error);
}
