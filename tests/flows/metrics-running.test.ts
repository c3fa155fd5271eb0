import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { listAuthMetrics, listEmailMetrics } from "../../scripts/documents/tables.ts";
import type { MetricRow } from "../../src/core/metrics.ts";
import { findEngine } from "../../support/engines.ts";
import { eventually } from "../../support/eventually.ts";
import type { DevProcess } from "../support/dev-process.ts";
import { openDevProcess } from "../support/dev-process.ts";

const program = findEngine("instant");
const token = "a-token-for-Prometheus-that-is-long-enough";

describe.skipIf(program === undefined)("/metrics of running services", () => {
  let dev: DevProcess;
  beforeAll(async () => {
    dev = await openDevProcess(program ?? "");
  });
  afterAll(() => dev[Symbol.asyncDispose]());

  const linesOf = async (url: string) => (await (await fetch(`${url}/metrics`)).text()).split("\n");

  test("are those of the documentation, no more and no less", async () => {
    expect(namesIn(await linesOf(dev.emailUrl))).toEqual(namesOf(listEmailMetrics()));
    expect(namesIn(await linesOf(dev.authUrl))).toEqual(namesOf(listAuthMetrics()));
  });

  test("count a sign-in from the request to the code, whatever was answered", async () => {
    await dev.requestCode("counted@example.com");
    await dev.requestCode("counted@example.com");
    const code = await dev.newestCode();
    const wrong = code === "111111" ? "222222" : "111111";
    for (const entered of [wrong, code]) await verify(dev.authUrl, entered);
    expect(await linesOf(dev.authUrl)).toEqual(
      expect.arrayContaining([
        'instant_http_requests_total{method="POST",route="/auth/request-code",status="200"} 2',
        'instant_http_request_duration_seconds_count{route="/auth/request-code"} 2',
        'instant_auth_codes_requested_total{purpose="sign_in",outcome="issued"} 1',
        'instant_auth_codes_requested_total{purpose="sign_in",outcome="repeated"} 1',
        'instant_auth_code_verifications_total{purpose="sign_in",outcome="wrong"} 1',
        'instant_auth_code_verifications_total{purpose="sign_in",outcome="verified"} 1',
        "instant_email_log_unavailable 0",
      ]),
    );
    const published = await linesOf(dev.authUrl);
    const viaLog = /^instant_email_publish_duration_seconds_count\{.*path="log".*\} \d+$/;
    expect(published.filter((line) => viaLog.test(line))).toHaveLength(1);
    await eventually("the mail is counted", async () => {
      const lines = await linesOf(dev.emailUrl);
      return lines.some((line) =>
        /^instant_email_smtp_duration_seconds_count\{outcome="accepted",server="[^"]+"\} 2$/.test(
          line,
        ),
      );
    });
  });

  test("of serve-auth are for nobody whom a proxy passed on", async () => {
    const headers = { "X-Forwarded-For": "203.0.113.7" };
    expect((await fetch(`${dev.authUrl}/metrics`, { headers })).status).toBe(404);
  });
});

test.skipIf(program === undefined)(
  "with METRICS_TOKEN, serve-auth shows its metrics to who brings it and to nobody else",
  async () => {
    await using dev = await openDevProcess(program ?? "", { METRICS_TOKEN: token });
    const ask = async (authorization: string) => {
      const headers = { Authorization: authorization };
      return (await fetch(`${dev.authUrl}/metrics`, { headers })).status;
    };
    expect(await ask(`Bearer ${token}x`)).toBe(404);
    expect(await ask("")).toBe(404);
    expect(await ask(`Bearer ${token}`)).toBe(200);
  },
);

function verify(url: string, code: string): Promise<Response> {
  return fetch(`${url}/auth/verify-code`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ email: "counted@example.com", code }),
  });
}

function namesIn(lines: readonly string[]): string[] {
  return lines.flatMap((line) => /^# TYPE (\S+)/.exec(line)?.[1] ?? []).toSorted();
}

function namesOf(rows: readonly MetricRow[]): string[] {
  return rows.map(({ name }) => name).toSorted();
}
