import { loadConfig } from "../compose/config.ts";
import { openSignInStores, withTools } from "../compose/engines.ts";
import type { Environment } from "../core/config.ts";
import { throwProblems } from "../core/config.ts";
import { addressProblem, parseEmailAddress } from "../core/email-address.ts";
import { coreErrors } from "../core/errors.ts";

/**
 * For support: accepts codes again for an address that wrong ones have locked. Exits with 0 also
 * when it was not locked: the result is the same.
 */
export function unlock(
  environment: Environment,
  text: string,
  { json = false }: { readonly json?: boolean },
): Promise<number> {
  const email = parseAddress(text);
  return withTools(loadConfig(environment), async (engines) => {
    const { codes } = await openSignInStores(engines);
    const until = await codes.unlock(email);
    const report = {
      unlocked: until !== undefined,
      locked_until: until === undefined ? null : new Date(until).toISOString(),
    };
    process.stdout.write(`${json ? JSON.stringify(report) : lineOf(report)}\n`);
    return 0;
  });
}

/** Throws `usage_invalid` for what is no address. */
function parseAddress(text: string): string {
  const email = parseEmailAddress(text);
  if (email !== undefined) return email;
  const name = JSON.stringify(text.slice(0, 80));
  throwProblems([{ name, problem: addressProblem(text) }], coreErrors.usageInvalid);
  return text;
}

function lineOf({ locked_until }: { readonly locked_until: string | null }): string {
  return locked_until === null
    ? "Not locked; its wrong codes and requests for codes no longer count"
    : `Unlocked: codes are accepted again (it was locked until ${locked_until})`;
}
