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
   * several slots: there each call is sent on its own.
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
 * Redis is blocked while a script runs: 50 keys take half a millisecond.
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
    script: RedisScript<Reply>,
    keys: readonly string[],
    args: ScriptArguments,
  ): Promise<Reply> {
    return new Promise((resolve, reject) => {
      if (this.#calls.length === 0) setImmediate(() => this.#sendAll());
      this.#calls.push({ script, keys, args, resolve: resolve as Call["resolve"], reject });
    });
  }

  #sendAll(): void {
    const calls = this.#calls;
    this.#calls = [];
    for (let from = 0; from < calls.length; from += callsPerWriteMax) {
      const some = calls.slice(from, from + callsPerWriteMax);
      void this.#send(this.#isSharded ? some.map(alone) : toCommands(some));
    }
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
        else if (error.message.startsWith("CROSSSLOT") && command.calls.length > 1) {
          this.#isSharded = true;
          void this.#send(command.calls.map(alone));
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
  for (const [index, { resolve, reject }] of calls.entries()) {
    const item: unknown = script.merges ? (reply as readonly unknown[])[index] : reply;
    if (item instanceof Error) reject(item);
    else resolve(item);
  }
}

function fail({ calls }: Command, error: unknown): void {
  for (const { reject } of calls) reject(error);
}
