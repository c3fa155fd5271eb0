import type { Drainable } from "./drain.ts";
import type { EmailService } from "./email-service.ts";

export interface Fleet extends Drainable {
  /** Which part of the mails each has done, in the order of the services. */
  shares(): Promise<readonly number[]>;
}

/** Several services of one group as one; they share the ledger, so each knows what all have begun. */
export function fleetOf(first: EmailService, ...others: readonly EmailService[]): Fleet {
  const services = [first, ...others];
  const counts = () => Promise.all(services.map((service) => service.accepted()));
  return {
    begun: () => first.begun(),
    accepted: async () => sum(await counts()),
    get cpuMicros() {
      return sum(services.map((service) => service.cpuMicros));
    },
    failure: (what) => first.failure(what),
    shares: async () => {
      const each = await counts();
      return each.map((count) => count / sum(each));
    },
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
