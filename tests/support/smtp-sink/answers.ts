import type { SinkAction, SinkBehaviour, SinkStage } from "./behaviour.ts";

/** One connection as a session sees it; strings are latin1: a character is a byte. */
export interface SinkWire {
  write(bytes: string): void;
  end(): void;
  destroy(): void;
}

export interface Step {
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
