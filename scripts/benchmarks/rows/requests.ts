/** How many requests a second serve-auth answers, against a route that answers a constant. */
import { openAuthGround, startAuth } from "../auth-service.ts";
import type { Benchmark, Measured, Target } from "../benchmark.ts";
import { againstBefore, alternate, eachProgram } from "../benchmark.ts";
import type { HttpLoad } from "../loads.ts";
import type { Served } from "../processes.ts";
import { readCpuMicros, runScript, scriptCommand, serve } from "../processes.ts";
import type { Stage } from "../stage.ts";

export const requestCode64 = requestCode(64, { inQuick: false });
export const requestCode200 = requestCode(200, { inQuick: true });

/** One run stays below the limit of all clients together, see `openAuthGround`. */
const codeSizes = {
  full: { warmUp: 10_000, requests: 40_000, pairs: 5 },
  quick: { warmUp: 1000, requests: 3000, pairs: 3 },
} as const;

/** Each run gets a serve-auth of its own: the last run has used up the limits. */
function requestCode(clients: number, { inQuick }: Pick<Benchmark, "inQuick">): Benchmark {
  return {
    name: `request-code-${clients}`,
    job: `\`POST /auth/request-code\` on Kafka and Redis, ${clients} clients`,
    unit: "requests/s",
    comparisons: [againstConstant({ atLeast: 0.25 }), againstBefore({ atLeast: 3.3 })],
    inQuick,
    measure: async (stage, scale) => {
      const { pairs, ...size } = codeSizes[scale];
      const load = { kind: "request-code", clients, ...size } as const;
      return await alternate(pairs, {
        print: stage.print,
        ...eachProgram(stage, async (program) => {
          await using ground = await openAuthGround(program);
          await using service = await startAuth(program, ground);
          return await timeRequests(stage, service, load);
        }),
        yardstick: () => timeConstant(stage, load),
      });
    },
  };
}

const sessionSizes = {
  full: { warmUp: 20_000, requests: 100_000, pairs: 5 },
  quick: { warmUp: 2000, requests: 8000, pairs: 2 },
} as const;

export const sessionCheck: Benchmark = {
  name: "session-check",
  job: "`GET /auth/session` of a signed-in user, 64 clients",
  unit: "requests/s",
  comparisons: [againstConstant({ atLeast: 0.5 }), againstBefore({ atLeast: 0.9 })],
  inQuick: true,
  measure: async (stage, scale) => {
    const { pairs, ...size } = sessionSizes[scale];
    const load = { kind: "session", clients: 64, ...size } as const;
    return await alternate(pairs, {
      print: stage.print,
      ...eachProgram(stage, async (program) => {
        await using ground = await openAuthGround(program);
        await using service = await startAuth(program, ground);
        const token = await ground.signIn(service);
        return await timeRequests(stage, service, { ...load, token });
      }),
      yardstick: () => timeConstant(stage, load),
    });
  },
};

function againstConstant(target: Target) {
  return {
    against: "yardstick",
    yardstick: "a Hono route that returns a constant",
    target,
  } as const;
}

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
