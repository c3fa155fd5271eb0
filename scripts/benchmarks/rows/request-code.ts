import { alternate } from "../alternate.ts";
import { openAuthGround, startAuth } from "../auth-service.ts";
import type { Benchmark } from "../benchmark.ts";
import { startConstant, timeRequests } from "../http-rate.ts";

/** All of a run together stay below the limit of all clients, see `openAuthGround`. */
const sizes = {
  full: { warmUp: 10_000, requests: 40_000, pairs: 5 },
  quick: { warmUp: 1000, requests: 3000, pairs: 3 },
} as const;

export const requestCode64 = requestCode(64, { atLeast: 0.3, inQuick: false });
export const requestCode200 = requestCode(200, { atLeast: 0.45, inQuick: true });

/** Each run on a serve-auth of its own: the budgets of the one before would be spent. */
function requestCode(
  clients: number,
  { atLeast, inQuick }: { readonly atLeast: number; readonly inQuick: boolean },
): Benchmark {
  return {
    name: `request-code-${clients}`,
    job: `\`POST /auth/request-code\` on Kafka and Redis, ${clients} clients`,
    yardstick: "a Hono route that answers a constant",
    unit: "requests/s",
    target: { atLeast },
    inQuick,
    measure: async (stage, scale) => {
      const { pairs, ...load } = sizes[scale];
      const kind = "request-code";
      return await alternate(pairs, {
        ours: async () => {
          await using ground = await openAuthGround(stage);
          await using service = await startAuth(stage, ground);
          return await timeRequests(stage, service, { kind, clients, ...load });
        },
        yardstick: async () => {
          await using constant = await startConstant(stage);
          return await timeRequests(stage, constant, { kind, clients, ...load });
        },
      });
    },
  };
}
