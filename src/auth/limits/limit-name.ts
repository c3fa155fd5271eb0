import { sha256Hex } from "../../core/secret.ts";
import type { Budget } from "./limits.ts";

/** Under which the uses of a budget are kept: it does not show the subject. */
export function limitName({ scope, subject }: Budget): string {
  return `${scope}:${sha256Hex(`instant-limit:${subject}`)}`;
}
