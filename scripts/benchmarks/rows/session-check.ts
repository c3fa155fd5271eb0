import { alternate } from "../alternate.ts";
import { openAuthGround, startAuth } from "../auth-service.ts";
import type { Benchmark } from "../benchmark.ts";
import { startConstant, timeRequests } from "../http-rate.ts";

const sizes = {
  full: { warmUp: 20_000, requests: 100_000, pairs: 5 },
  quick: { warmUp: 2000, requests: 8000, pairs: 3 },
} as const;

export const sessionCheck: Benchmark = {
  name: "session-check",
  job: "`GET /auth/session` of somebody signed in, 64 clients",
  yardstick: "a Hono route that answers a constant",
  unit: "requests/s",
  target: { atLeast: 0.6 },
  inQuick: true,
  measure: async (stage, scale) => {
    const { pairs, ...size } = sizes[scale];
    await using ground = await openAuthGround(stage);
    const token = await ground.signIn();
    const load = { kind: "session", token, clients: 64, ...size } as const;
    return await alternate(pairs, {
      ours: async () => {
        await using service = await startAuth(stage, ground);
        return await timeRequests(stage, service, load);
      },
      yardstick: async () => {
        await using constant = await startConstant(stage);
        return await timeRequests(stage, constant, load);
      },
    });
  },
};
