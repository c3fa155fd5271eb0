import { withDeadline } from "../core/deadline.ts";
import type { Finding } from "../core/diagnosis.ts";
import { Diagnosis } from "../core/diagnosis.ts";
import { coreErrors } from "../core/error-codes.ts";
import { errorMessage, isInstantError } from "../core/errors.ts";

/** A look at one dependency or at one side of the settings; it needs nothing of the others. */
export interface Check {
  /** The heading of its lines: "Redis". */
  readonly group: string;
  /** Where that is, for people: "localhost:6379/0". */
  readonly about?: string | undefined;
  readonly run: (diagnosis: Diagnosis) => void | Promise<void>;
}

export interface Group {
  readonly name: string;
  readonly about: string | undefined;
  readonly findings: readonly Finding[];
}

/**
 * Runs all checks at the same time and keeps their order; checks of one group in a row share it.
 * Resolves after `deadlineMs` at the latest: one that is late, or breaks, has a fault that says so.
 */
export async function runChecks(
  checks: readonly Check[],
  { deadlineMs }: { readonly deadlineMs: number },
): Promise<readonly Group[]> {
  const groups = await Promise.all(checks.map((check) => runCheck(check, deadlineMs)));
  const joined: Group[] = [];
  for (const group of groups) {
    const last = joined.at(-1);
    if (last?.name !== group.name) {
      joined.push(group);
      continue;
    }
    joined.pop();
    const about = last.about ?? group.about;
    joined.push({ ...last, about, findings: [...last.findings, ...group.findings] });
  }
  return joined;
}

async function runCheck({ group, about, run }: Check, deadlineMs: number): Promise<Group> {
  const diagnosis = new Diagnosis();
  try {
    const work = Promise.try(() => run(diagnosis));
    await withDeadline(group, deadlineMs, work);
  } catch (error) {
    reportBroken(diagnosis, error);
  }
  diagnosis.close();
  return { name: group, about, findings: diagnosis.findings };
}

function reportBroken(diagnosis: Diagnosis, error: unknown): void {
  if (isInstantError(error, coreErrors.deadlineExceeded)) {
    const mend = "Whatever it is asking accepts connections and then keeps silent: look at its log";
    diagnosis.fault("doctor.deadline", `The rest of this check: no ${late(error.detail)}`, mend);
    return;
  }
  // One broken check must not hide what the others found.
  const mend = "This check met something it does not know; the words above are what was said";
  diagnosis.fault("doctor.broken", errorMessage(error), mend);
}

/** "Redis after 9000 ms" → "answer from Redis after 9000 ms" */
function late(detail: string | undefined): string {
  return `answer from ${detail ?? "it"}`;
}
