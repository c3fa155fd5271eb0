import { openBrowser } from "../../../support/browser.ts";
import { findBrowser } from "../../../support/engines/packages.ts";
import type { Measured } from "../alternate.ts";
import { alternate } from "../alternate.ts";
import { openBacklog } from "../backlog.ts";
import type { Benchmark } from "../benchmark.ts";
import { EmailService } from "../email-service.ts";
import { SteadyMails } from "../loads/steady-mails.ts";
import { readCpuMicros } from "../process-usage.ts";
import type { Stage } from "../stage.ts";

const perSecond = 500;
const tabs = 3;

const sizes = {
  full: { warmUpSeconds: 10, seconds: 15, pairs: 5 },
  quick: { warmUpSeconds: 1, seconds: 1, pairs: 1 },
} as const;

/** What watching costs the one that is watched; what a browser needs itself is not counted. */
export const dashboards: Benchmark = {
  name: "dashboards",
  job: `CPU of serve-email at ${perSecond} mails a second, ${tabs} dashboards open`,
  yardstick: "itself, with none open",
  unit: "cores",
  target: { atMost: 1.05 },
  inQuick: false,
  measure: async (stage, scale) => {
    const { warmUpSeconds, seconds, pairs } = sizes[scale];
    const kafka = await stage.kafka();
    await using redis = await stage.openRedis();
    await using backlog = await openBacklog(kafka);
    await using service = await EmailService.start(stage, {
      ...{ kafka, backlog, redis: redis.url },
      group: crypto.randomUUID(),
    });
    await using _mails = new SteadyMails(backlog, perSecond);
    await Bun.sleep(warmUpSeconds * 1000);
    return await alternate(pairs, {
      ours: async () => {
        await using _watching = await watch(stage, service.url);
        return await coresOf(service.pid, seconds);
      },
      yardstick: () => coresOf(service.pid, seconds),
    });
  },
};

async function coresOf(pid: number, seconds: number): Promise<Measured> {
  const [before, startedAt] = [readCpuMicros(pid), performance.now()];
  await Bun.sleep(seconds * 1000);
  const micros = (performance.now() - startedAt) * 1000;
  return { value: (readCpuMicros(pid) - before) / micros };
}

/** The dashboards in tabs of a Chromium; without one, readers of what the dashboards are sent. */
async function watch(stage: Stage, url: string): Promise<AsyncDisposable> {
  const chromium = findBrowser();
  if (chromium === undefined) {
    stage.print("  no Chromium here: plain readers stand for the dashboards");
    return readAlong(url);
  }
  const browser = await openBrowser(chromium);
  for (let tab = 0; tab < tabs; tab += 1) {
    const page = await browser.newPage();
    const isLive = page.waitForRequest(`${url}/live`);
    await page.goto(url);
    await isLive;
  }
  return browser;
}

async function readAlong(url: string): Promise<AsyncDisposable> {
  const leaving = new AbortController();
  const reading = Array.from({ length: tabs }, async () => {
    const { body } = await fetch(`${url}/live`, { signal: leaving.signal });
    for await (const _ of body ?? []);
  });
  return {
    [Symbol.asyncDispose]: async () => {
      leaving.abort();
      await Promise.allSettled(reading);
    },
  };
}
