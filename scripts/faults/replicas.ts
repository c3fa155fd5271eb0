import type { Played, Stage } from "./stage.ts";
import { progress } from "./stage.ts";

/** A replica joins, one leaves, again and again; mails must flow after each. */
export async function rotateReplicas({ row, worker, scale }: Stage): Promise<Played> {
  const running = [worker];
  for (let rotation = 0; rotation < scale.rotations; rotation += 1) {
    running.push(row.startWorker());
    await Bun.sleep(scale.rotationMs / 2);
    await progress(row);
    if (running.length > 2) await running.shift()?.stop();
    await Bun.sleep(scale.rotationMs / 2);
    await progress(row);
  }
  return {};
}
