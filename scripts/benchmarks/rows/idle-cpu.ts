import { eventually } from "../../../support/eventually.ts";
import { openAuthGround, startAuth, startEmail } from "../auth-service.ts";
import type { Benchmark } from "../benchmark.ts";
import type { EmailService } from "../email-service.ts";
import { readCpuMicros } from "../process-usage.ts";

const sizes = {
  full: { settleSeconds: 5, seconds: 10, pairs: 5 },
  quick: { settleSeconds: 1, seconds: 2.5, pairs: 1 },
} as const;

/** A service keeps polling, beating and counting while it has nothing to do; this is what that costs. */
export const idleCpu: Benchmark = {
  name: "idle-cpu",
  job: "CPU of serve-auth and serve-email together at rest, connected to Kafka, Redis and Postgres",
  yardstick: "one core",
  unit: "cores",
  target: { atMost: 0.01 },
  inQuick: true,
  measure: async (stage, scale) => {
    const { settleSeconds, seconds, pairs } = sizes[scale];
    await using ground = await openAuthGround(stage);
    await using email = await startEmail(stage, ground);
    await using auth = await startAuth(stage, ground);
    await sendOne(auth.url, email);
    await Bun.sleep(settleSeconds * 1000);
    const used = () => readCpuMicros(auth.pid) + readCpuMicros(email.pid);
    const measured: { ours: number; yardstick: number }[] = [];
    for (let pair = 0; pair < pairs; pair += 1) {
      const [before, startedAt] = [used(), performance.now()];
      await Bun.sleep(seconds * 1000);
      const micros = (performance.now() - startedAt) * 1000;
      measured.push({ ours: (used() - before) / micros, yardstick: 1 });
    }
    return measured;
  },
};

/** Whatever is connected lazily is connected now. */
async function sendOne(url: string, email: EmailService): Promise<void> {
  const answer = await fetch(`${url}/auth/request-code`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: '{"email":"idle@example.com"}',
  });
  if (!answer.ok) throw new Error(`answered ${answer.status}: ${await answer.text()}`);
  await eventually("the mail is accepted", async () => (await email.accepted()) >= 1);
}
