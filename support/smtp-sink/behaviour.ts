/**
 * How the sink misbehaves: rules, tried in order at each stage of a session; the first that fits
 * and is not used up decides what happens instead of the ordinary reply. Rules are plain data, so
 * that another process can send them as JSON (see `http-side.ts`).
 */
export const sinkStages = [
  "connect", // a connection is open, the greeting is due
  "ehlo", // EHLO or HELO
  "starttls", // STARTTLS; "raw" here spoils the handshake
  "auth", // the credentials were read
  "mail",
  "rcpt",
  "data", // the DATA command
  "content", // the first bytes of the content arrived; its end may or may not be here
  "dot", // the whole content arrived
  "quit",
] as const;
export type SinkStage = (typeof sinkStages)[number];

export type SinkAction = (
  | { readonly kind: "accept" }
  /** Answers `text` ("451 4.3.0 try later"; lines of a longer reply joined by CRLF). */
  | { readonly kind: "reply"; readonly text: string; readonly close?: boolean }
  /** Writes `bytes` as they are: half a reply, or garbage. */
  | { readonly kind: "raw"; readonly bytes: string; readonly close?: boolean }
  /** Never says anything again on this connection. */
  | { readonly kind: "hang" }
  /** Destroys the connection. */
  | { readonly kind: "drop" }
  /** Answers as usual after `ms`. */
  | { readonly kind: "delay"; readonly ms: number }
  /** Answers as usual, one byte each `ms`. */
  | { readonly kind: "trickle"; readonly ms: number }
) & {
  /** At "dot": the message was accepted and is counted, whatever is answered. */
  readonly count?: boolean;
};

export interface SinkRule {
  readonly at: SinkStage;
  readonly does: SinkAction;
  /** A regular expression; from "rcpt" on, one of the message's recipients must match. */
  readonly recipient?: string;
  /** At "content" and "dot": the message's id. */
  readonly messageId?: string;
  /** Leaves alone so many fitting occasions of each second: what is beyond them is too fast. */
  readonly perSecondMax?: number;
  /** Leaves the first `skip` fitting occasions alone. */
  readonly skip?: number;
  /** Good for so many occasions; left out: for ever. */
  readonly times?: number;
}

export class SinkBehaviour {
  #rules: {
    readonly rule: SinkRule;
    readonly pattern: RegExp | undefined;
    seen: number;
    second: { at: number; taken: number };
  }[] = [];

  /** Replaces all rules. */
  set(rules: readonly SinkRule[]): void {
    this.#rules = [];
    for (const rule of rules) this.add(rule);
  }

  /** Adds a rule after the others. */
  add(rule: SinkRule): void {
    const pattern = rule.recipient === undefined ? undefined : new RegExp(rule.recipient);
    this.#rules.push({ rule, pattern, seen: 0, second: { at: 0, taken: 0 } });
  }

  /**
   * What to do instead of the ordinary; undefined: nothing special. Uses the rule up by one.
   * `recipients`: of the message so far; `messageId`: once it was read.
   */
  decide(
    stage: SinkStage,
    recipients: readonly string[],
    messageId: string | undefined,
  ): SinkAction | undefined {
    for (const entry of this.#rules) {
      const { rule, pattern } = entry;
      if (rule.at !== stage) continue;
      if (pattern !== undefined && !recipients.some((to) => pattern.test(to))) continue;
      if (rule.messageId !== undefined && rule.messageId !== messageId) continue;
      if (rule.perSecondMax !== undefined) {
        const at = Math.floor(performance.now() / 1_000);
        if (entry.second.at !== at) entry.second = { at, taken: 0 };
        entry.second.taken += 1;
        if (entry.second.taken <= rule.perSecondMax) continue;
      }
      const skip = rule.skip ?? 0;
      if (rule.times !== undefined && entry.seen >= skip + rule.times) continue;
      entry.seen += 1;
      if (entry.seen > skip) return rule.does;
    }
    return undefined;
  }
}

/** One connection as a session sees it; strings are latin1: a character is a byte. */
export interface SinkWire {
  write(bytes: string): void;
  end(): void;
  destroy(): void;
}

interface Step {
  readonly stage: SinkStage;
  /** The ordinary answer; undefined: none is due. */
  readonly reply: string | undefined;
  /** What the ordinary course changes. */
  readonly accept?: () => void;
  readonly recipients?: readonly string[];
  readonly messageId?: string | undefined;
}

/**
 * What a session says: ordinary answers, or what a rule of the behaviour makes of them.
 *
 * Ready: answers gather until `flush`. Busy: one is delayed; the session keeps its input until
 * `resume` is called. Stuck: a rule said hang, or the connection was ended by us: nothing is said.
 */
export class Answers {
  readonly #wire: SinkWire;
  readonly #behaviour: SinkBehaviour;
  readonly #onStage: (stage: SinkStage) => void;
  readonly #resume: () => void;
  #output = "";
  #state: "ready" | "busy" | "stuck" = "ready";

  constructor(
    wire: SinkWire,
    behaviour: SinkBehaviour,
    hooks: { readonly onStage: (stage: SinkStage) => void; readonly resume: () => void },
  ) {
    this.#wire = wire;
    this.#behaviour = behaviour;
    this.#onStage = hooks.onStage;
    this.#resume = hooks.resume;
  }

  get ready(): boolean {
    return this.#state === "ready";
  }

  get stuck(): boolean {
    return this.#state === "stuck";
  }

  say(reply: string): void {
    this.#output += `${reply}\r\n`;
  }

  sayAndEnd(bytes: string): void {
    this.#output += bytes;
    this.flush();
    this.#wire.end();
    this.#state = "stuck";
  }

  flush(): void {
    if (this.#output === "" || this.stuck) return;
    const output = this.#output;
    this.#output = "";
    this.#wire.write(output);
  }

  /** Takes the step in the ordinary way, or as a rule says. */
  take(step: Step): void {
    const action = this.#behaviour.decide(step.stage, step.recipients ?? [], step.messageId);
    if (action?.count === true) step.accept?.();
    this.#onStage(step.stage);
    const goOn = () => {
      if (action?.count !== true) step.accept?.();
      if (step.reply !== undefined) this.say(step.reply);
    };
    if (action === undefined) goOn();
    else this.#act(action, step, goOn);
  }

  #act(action: SinkAction, step: Step, goOn: () => void): void {
    switch (action.kind) {
      case "accept":
        goOn();
        break;
      case "reply":
      case "raw": {
        const bytes = action.kind === "raw" ? action.bytes : `${action.text}\r\n`;
        if (action.close === true) this.sayAndEnd(bytes);
        else this.#output += bytes;
        break;
      }
      case "hang":
        this.flush();
        this.#state = "stuck";
        break;
      case "drop":
        this.#wire.destroy();
        this.#state = "stuck";
        break;
      case "delay":
        this.#later(action.ms, goOn);
        break;
      case "trickle":
        if (action.count !== true) step.accept?.();
        this.#trickle(`${step.reply ?? ""}\r\n`, action.ms);
        break;
    }
  }

  #later(ms: number, goOn: () => void): void {
    this.flush();
    this.#state = "busy";
    setTimeout(() => {
      this.#state = "ready";
      goOn();
      this.#resume();
    }, ms);
  }

  #trickle(bytes: string, ms: number): void {
    this.#later(ms, () => {
      this.#output += bytes.slice(0, 1);
      if (bytes.length > 1) this.#trickle(bytes.slice(1), ms);
    });
  }
}
