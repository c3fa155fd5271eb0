import type { Measured } from "./alternate.ts";
import type { Backlog } from "./backlog.ts";
import { timeDrain } from "./drain.ts";
import { EmailService } from "./email-service.ts";
import { readResidentBytes } from "./process-usage.ts";
import type { Stage } from "./stage.ts";

export interface DrainOptions {
  readonly kafka: string;
  readonly backlog: Backlog;
  /** Besides the warm-up. */
  readonly mails: number;
  readonly warmUp?: number;
  readonly environment?: Readonly<Record<string, string>>;
}

/**
 * Drains the whole backlog as if it were new: a serve-email in a group of its own, with an empty
 * ledger. `residentBytes` is the process' memory when the last mail is done.
 */
export async function drainOnce(
  stage: Stage,
  { mails, warmUp, ...options }: DrainOptions,
): Promise<Required<Measured> & { readonly residentBytes: number }> {
  await using redis = await stage.openRedis();
  const group = crypto.randomUUID();
  await using service = await EmailService.start(stage, { ...options, redis: redis.url, group });
  const measured = await timeDrain(service, mails, warmUp);
  return { ...measured, residentBytes: readResidentBytes(service.pid) };
}
