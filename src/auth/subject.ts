import { sha256Hex } from "../core/secret.ts";

/**
 * The name under which the stores keep what belongs to an address, so that their keys do not show
 * it. Not keyed with AUTH_SECRET: live codes and spent budgets must outlive a change of the secret.
 */
export function subjectOf(email: string): string {
  return sha256Hex(`instant-subject:${email}`);
}
