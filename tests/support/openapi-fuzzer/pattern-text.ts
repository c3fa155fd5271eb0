import type { SeededRandom } from "../seeded-random.ts";

const repeatsMax = 6;
const printable = Array.from({ length: 95 }, (_, n) => String.fromCharCode(32 + n));
const digits = "0123456789".split("");
const blanks = [" ", "\t"];

/**
 * Text that a pattern of a JSON Schema takes. Knows what such patterns are made of here: classes,
 * groups, `|`, `?`, `*`, `+`, `{n}`, `{n,m}`, `.`, `\d`, `\s`, `\w`, escapes, and anchors at the ends.
 */
export function textOfPattern(pattern: string, random: SeededRandom): string {
  const reader = new PatternReader(pattern.replace(/^\^/, "").replace(/\$$/, ""), random);
  return reader.readAlternatives();
}

class PatternReader {
  readonly #pattern: string;
  readonly #random: SeededRandom;
  #at = 0;

  constructor(pattern: string, random: SeededRandom) {
    this.#pattern = pattern;
    this.#random = random;
  }

  readAlternatives(): string {
    const alternatives = [this.#readSequence()];
    while (this.#take("|")) alternatives.push(this.#readSequence());
    return this.#random.pick(alternatives) ?? "";
  }

  #readSequence(): string {
    let text = "";
    while (this.#at < this.#pattern.length && !/[|)]/.test(this.#peek())) text += this.#readPiece();
    return text;
  }

  /** An atom with its count; it is read anew for each time, so that the times differ. */
  #readPiece(): string {
    const begin = this.#at;
    let text = this.#readAtom();
    const end = this.#at;
    const [least, most] = this.#readCount();
    const after = this.#at;
    const count = least + this.#random.below(most - least + 1);
    if (count === 0) return "";
    for (let time = 1; time < count; time += 1) {
      this.#at = begin;
      text += this.#readAtom();
      if (this.#at !== end) throw new Error(`cannot read ${this.#pattern}`);
    }
    this.#at = after;
    return text;
  }

  #readAtom(): string {
    if (this.#take("(")) {
      this.#take("?:");
      const text = this.readAlternatives();
      if (!this.#take(")")) throw new Error(`no ) in ${this.#pattern}`);
      return text;
    }
    if (this.#take("[")) return this.#random.pick(this.#readClass()) ?? "";
    return this.#random.pick(this.#readCharacters()) ?? "";
  }

  #readClass(): string[] {
    const characters: string[] = [];
    while (!this.#take("]")) {
      const from = this.#readCharacters();
      const range = this.#peek() === "-" && this.#pattern[this.#at + 1] !== "]";
      if (!range || from.length !== 1) {
        characters.push(...from);
        continue;
      }
      this.#take("-");
      const [first = 0, last = 0] = [from, this.#readCharacters()].map(([one]) =>
        one?.charCodeAt(0),
      );
      for (let code = first; code <= last; code += 1) characters.push(String.fromCharCode(code));
    }
    return characters;
  }

  #readCharacters(): readonly string[] {
    const character = this.#peek();
    this.#at += 1;
    if (character === ".") return printable;
    if (character !== "\\") return [character];
    const escaped = this.#peek();
    this.#at += 1;
    if (escaped === "d") return digits;
    if (escaped === "s") return blanks;
    if (escaped === "w") return [...digits, "a", "Z", "_"];
    return [escaped];
  }

  #readCount(): [least: number, most: number] {
    if (this.#take("?")) return [0, 1];
    if (this.#take("*")) return [0, repeatsMax];
    if (this.#take("+")) return [1, repeatsMax];
    const counted = /^\{(\d+)(?:,(\d+))?\}/.exec(this.#pattern.slice(this.#at));
    if (counted === null) return [1, 1];
    this.#at += counted[0].length;
    return [Number(counted[1]), Number(counted[2] ?? counted[1])];
  }

  #peek(): string {
    return this.#pattern[this.#at] ?? "";
  }

  #take(text: string): boolean {
    if (!this.#pattern.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }
}
