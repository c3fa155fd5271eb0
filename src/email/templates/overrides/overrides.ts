import type { EventType } from "../../mails/mail-types.ts";
import { isLanguage } from "../languages.ts";
import type { OperatorMail } from "./operator-mail.ts";

/** The operator's templates: of some types, in some languages or for all. */
export interface Overrides {
  /** The languages that have a folder, in lower case. */
  readonly languages: readonly string[];
  /**
   * The mail that stands in for ours, for the languages wanted in turn. A folder of the language is
   * taken first; then what stands beside the folders, which is for everybody else. Where nothing
   * does, a language that we have words for is better than another one's folder.
   */
  find(type: EventType, chain: readonly string[]): OperatorMail | undefined;
}

type Mails = Readonly<Partial<Record<EventType, OperatorMail>>>;

export function createOverrides(
  forAll: Mails,
  byLanguage: Readonly<Record<string, Mails>>,
): Overrides {
  return {
    languages: Object.keys(byLanguage),
    find: (type, chain) => {
      for (const tag of chain) {
        const own = byLanguage[tag]?.[type];
        if (own !== undefined) return own;
        if (forAll[type] === undefined && isLanguage(tag)) return undefined;
      }
      return forAll[type];
    },
  };
}
