/** How many requests a second serve-auth answers, against a route that answers a constant. */
import { openAuthGround, startAuth } from "../auth-service.ts";
import type { Benchmark, Measured } from "../benchmark.ts";
import { alternate } from "../benchmark.ts";
import type { HttpLoad } from "../loads.ts";
import type { Served } from "../processes.ts";
import { readCpuMicros, runScript, scriptCommand, serve } from "../processes.ts";
import type { Stage } from "../stage.ts";

export const requestCode64 = requestCode(64, { atLeast: 0.3, inQuick: false });
export const requestCode200 = requestCode(200, { atLeast: 0.45, inQuick: true });

/** One run stays below the limit of all clients together, see `openAuthGround`. */
const codeSizes = {
  full: { warmUp: 10_000, requests: 40_000, pairs: 5 },
  quick: { warmUp: 1000, requests: 3000, pairs: 3 },
} as const;

/** Each run gets a serve-auth of its own: the last run has used up the limits. */
function requestCode(
  clients: number,
  { atLeast, inQuick }: { readonly atLeast: number; readonly inQuick: boolean },
): Benchmark {
  return {
    name: `request-code-${clients}`,
    job: `\`POST /auth/request-code\` on Kafka and Redis, ${clients} clients`,
    yardstick: "a Hono route that returns a constant",
    unit: "requests/s",
    target: { atLeast },
    inQuick,
    measure: async (stage, scale) => {
      const { pairs, ...size } = codeSizes[scale];
      const load = { kind: "request-code", clients, ...size } as const;
      return await alternate(pairs, {
        ours: async () => {
          await using ground = await openAuthGround(stage);
          await using service = await startAuth(stage, ground);
          return await timeRequests(stage, service, load);
        },
        yardstick: () => timeConstant(stage, load),
      });
    },
  };
}

const sessionSizes = {
  full: { warmUp: 20_000, requests: 100_000, pairs: 5 },
  quick: { warmUp: 2000, requests: 8000, pairs: 3 },
} as const;

export const sessionCheck: Benchmark = {
  name: "session-check",
  job: "`GET /auth/session` of a signed-in user, 64 clients",
  yardstick: "a Hono route that returns a constant",
  unit: "requests/s",
  target: { atLeast: 0.6 },
  inQuick: true,
  measure: async (stage, scale) => {
    const { pairs, ...size } = sessionSizes[scale];
    await using ground = await openAuthGround(stage);
    const load = { kind: "session", token: await ground.signIn(), clients: 64, ...size } as const;
    return await alternate(pairs, {
      ours: async () => {
        await using service = await startAuth(stage, ground);
        return await timeRequests(stage, service, load);
      },
      yardstick: () => timeConstant(stage, load),
    });
  },
};

async function timeConstant(stage: Stage, load: Omit<HttpLoad, "url">): Promise<Measured> {
  await using constant = await serve(stage, {
    command: scriptCommand(stage, "yardsticks/constant.ts"),
    portVariable: "PORT",
    path: "/auth/session",
  });
  return await timeRequests(stage, constant, load);
}

/** Under a load in a process of its own. */
async function timeRequests(
  stage: Stage,
  { url, process: { pid } }: Served,
  load: Omit<HttpLoad, "url">,
): Promise<Measured> {
  const before = readCpuMicros(pid);
  const { value } = await runScript(stage, "loads.ts", JSON.stringify({ ...load, url }));
  const cpuMicros = readCpuMicros(pid) - before;
  return { value, cpuMicros: cpuMicros / (load.warmUp + load.requests) };
}
