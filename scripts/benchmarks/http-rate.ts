import type { Measured } from "./alternate.ts";
import { Child } from "./child.ts";
import type { HttpLoad, HttpRate } from "./loads/http-load.ts";
import { readCpuMicros } from "./process-usage.ts";
import { scriptCommand } from "./script.ts";
import type { Served } from "./served.ts";
import { serve } from "./served.ts";
import type { Stage } from "./stage.ts";

/** Requests a second that `served` answers under a load in a process of its own. */
export async function timeRequests(
  stage: Stage,
  served: Served,
  load: Omit<HttpLoad, "url">,
): Promise<Measured> {
  const parameters = JSON.stringify({ ...load, url: served.url } satisfies HttpLoad);
  const before = readCpuMicros(served.pid);
  const command = scriptCommand(stage, "loads/http-load.ts", parameters);
  await using child = new Child(command, { directory: stage.makeDirectory() });
  const { perSecond } = JSON.parse(await child.finish()) as HttpRate;
  const cpuMicros = readCpuMicros(served.pid) - before;
  return { value: perSecond, cpuMicros: cpuMicros / (load.warmUp + load.requests) };
}

/** The yardstick of the HTTP rows. */
export function startConstant(stage: Stage): Promise<Served> {
  return serve(stage, {
    command: scriptCommand(stage, "yardsticks/constant-server.ts"),
    portVariable: "PORT",
    path: "/auth/session",
  });
}
