import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { listAuthMetrics, listEmailMetrics } from "../../scripts/documents/tables.ts";
import { choosePort } from "../../support/engines/server.ts";
import { findEngine } from "../../support/engines.ts";
import { eventually } from "../../support/eventually.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import type { DevProcess } from "../support/dev-process.ts";
import { openDevProcess } from "../support/dev-process.ts";

const promtool = findEngine("promtool");
const prometheus = findEngine("prometheus");
const program = findEngine("instant");

interface Panel {
  readonly id: number;
  readonly title: string;
  readonly targets?: readonly { readonly expr: string }[];
}

const dashboard = JSON.parse(readFileSync("monitoring/dashboard.json", "utf8")) as {
  readonly panels: readonly Panel[];
};
const queries = dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
const rules = Bun.YAML.parse(readFileSync("monitoring/alerts.yml", "utf8")) as {
  readonly groups: readonly { readonly rules: readonly { alert: string; expr: string }[] }[];
};
const alerts = rules.groups.flatMap((group) => group.rules);

describe("the files of monitoring/", () => {
  test.skipIf(promtool === undefined)(
    "its alert rules fire when they should, and only then",
    () => {
      const run = Bun.spawnSync([promtool ?? "", "test", "rules", "monitoring/alerts.test.yml"]);
      expect(`${run.stdout}${run.stderr}`).toMatch(/SUCCESS\s*$/);
    },
  );

  test("each alert has a unit test, and a section on what to do", () => {
    const tests = readFileSync("monitoring/alerts.test.yml", "utf8");
    const operating = readFileSync("docs/operating.md", "utf8");
    for (const { alert } of alerts) {
      expect(tests).toContain(`alertname: ${alert}\n        exp_alerts:\n`);
      expect(operating).toContain(`\n### ${alert}\n`);
    }
  });

  test("dashboard and alerts query only metrics that the services have", () => {
    const known = new Set([...listAuthMetrics(), ...listEmailMetrics()].map(({ name }) => name));
    const asked = [...queries, ...alerts.map(({ expr }) => expr)].flatMap(
      (query) => query.match(/\b(?:instant|process)_[a-z_]+/g) ?? [],
    );
    const names = asked.map((name) => name.replace(/_(?:bucket|sum|count)$/, ""));
    expect(names.filter((name) => !known.has(name))).toEqual([]);
    expect(names.length).toBeGreaterThan(30);
  });

  test("the panels of the dashboard have ids and titles of their own", () => {
    const { panels } = dashboard;
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    expect(new Set(panels.map(({ title }) => title)).size).toBe(panels.length);
  });
});

describe.skipIf(prometheus === undefined || program === undefined)("a real Prometheus", () => {
  const stack = new AsyncDisposableStack();
  let dev: DevProcess;
  let url: string;
  beforeAll(async () => {
    dev = stack.use(await openDevProcess(program ?? ""));
    url = await startPrometheus(stack, dev);
    await dev.requestCode("measured@example.com");
  });
  afterAll(() => stack.disposeAsync());

  test("reads both services and loads the alert rules", async () => {
    await eventually("both are up", async () => {
      const up = await query(url, 'up{job=~"instant-.+"} == 1');
      return up.length === 2;
    });
    const loaded = (await (await fetch(`${url}/api/v1/rules`)).json()) as {
      data: { groups: { rules: { name: string }[] }[] };
    };
    const names = loaded.data.groups.flatMap((group) => group.rules.map(({ name }) => name));
    expect(names).toEqual(alerts.map(({ alert }) => alert));
  });

  test.each(queries)("answers the dashboard's %s", async (expr) => {
    await query(url, expr);
  });

  test("shows the mail that was just sent", async () => {
    await eventually("the accepted mail is counted", async () => {
      const [sample] = await query(url, 'instant_email_outcomes_total{outcome="accepted"}');
      return sample?.value[1] === "1";
    });
    expect(await query(url, "max(instant_email_lag_seconds)")).toHaveLength(1);
  });
});

interface Sample {
  readonly value: readonly [number, string];
}

/** Throws what Prometheus has against the query. */
async function query(url: string, expr: string): Promise<readonly Sample[]> {
  const answer = await fetch(`${url}/api/v1/query?${new URLSearchParams({ query: expr })}`);
  const body = (await answer.json()) as { status: string; data?: { result: readonly Sample[] } };
  if (body.status !== "success") throw new Error(JSON.stringify(body));
  return body.data?.result ?? [];
}

/** The repository's own configuration, but for targets, intervals and paths. */
async function startPrometheus(stack: AsyncDisposableStack, dev: DevProcess): Promise<string> {
  const { path } = stack.use(temporaryDirectory());
  const port = await choosePort(0);
  const host = (address: string) => `127.0.0.1:${new URL(address).port}`;
  const config = readFileSync("monitoring/prometheus.yml", "utf8")
    .replaceAll("15s", "1s")
    .replace("auth-service:8080", host(dev.authUrl))
    .replace("/tmp/metrics-token", join(path, "metrics-token"))
    .replace(/dns_sd_configs:.*/, `static_configs: [{ targets: ["${host(dev.emailUrl)}"] }]`);
  mkdirSync(join(path, "data"));
  writeFileSync(join(path, "prometheus.yml"), config);
  writeFileSync(join(path, "alerts.yml"), readFileSync("monitoring/alerts.yml"));
  writeFileSync(join(path, "metrics-token"), "");
  const server = Bun.spawn(
    [
      prometheus ?? "",
      `--config.file=${join(path, "prometheus.yml")}`,
      `--storage.tsdb.path=${join(path, "data")}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { stdout: "ignore", stderr: "ignore" },
  );
  stack.defer(async () => {
    server.kill("SIGKILL");
    await server.exited;
  });
  const url = `http://127.0.0.1:${port}`;
  await eventually("Prometheus is ready", async () => {
    const answer = await fetch(`${url}/-/ready`).catch(() => undefined);
    return answer?.ok;
  });
  return url;
}
