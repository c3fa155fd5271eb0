import { eventually } from "../../support/eventually.ts";
import type { Measured } from "./alternate.ts";
import type { EmailService } from "./email-service.ts";

/** Mails that are done before the clock starts: starting and joining the group are not the job. */
export const warmUpMails = 2000;

/** Longer than joining a group takes. */
const idleMsMax = 15_000;
const askEveryMs = 25;

/** One service, or several of one group. */
export type Drainable = Pick<EmailService, "begun" | "accepted" | "cpuMicros" | "failure">;

/**
 * Mails a second while `service` works off a backlog of `mails` and `warmUp` more. The clock starts
 * when the warm-up is done and stops when the last mail is accepted; a mail that came to another
 * end fails the row.
 */
export async function timeDrain(
  service: Drainable,
  mails: number,
  warmUp = warmUpMails,
): Promise<Required<Measured>> {
  const total = warmUp + mails;
  const first = await reach(service, warmUp);
  await reach(service, total);
  await eventually("each mail is accepted", async () => (await service.accepted()) >= total);
  const last = { at: performance.now(), cpuMicros: service.cpuMicros };
  const done = total - first.begun;
  return {
    value: (done * 1000) / (last.at - first.at),
    cpuMicros: (last.cpuMicros - first.cpuMicros) / done,
  };
}

/** Fails, with what the service said last, when nothing happens for 15 s. */
async function reach(service: Drainable, mails: number) {
  let last = { begun: 0, at: performance.now() };
  for (;;) {
    const begun = await service.begun();
    const at = performance.now();
    if (begun >= mails) return { begun, at, cpuMicros: service.cpuMicros };
    if (begun > last.begun) last = { begun, at };
    if (at > last.at + idleMsMax) throw service.failure(`${begun} of ${mails} mails, then nothing`);
    await Bun.sleep(askEveryMs);
  }
}
