import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { listAuthMetrics, listEmailMetrics } from "../../scripts/documents/tables.ts";
import type { MetricRow } from "../../src/core/metrics.ts";
import { Metrics } from "../../src/core/metrics.ts";
import { openSqlite } from "../../src/core/sqlite/database.ts";
import { systemClock } from "../../src/core/time.ts";
import { createWorkerMetrics } from "../../src/email/delivery/metrics.ts";
import type { EmailWorker } from "../../src/email/delivery/worker.ts";
import { LagReader } from "../../src/email/event-log/lag-reader.ts";
import { openSqliteDeliveryLedger } from "../../src/email/ledger/sqlite.ts";
import { findEngine } from "../../support/engines.ts";
import { welcomeEvent } from "../../support/events.ts";
import { eventually } from "../../support/eventually.ts";
import { InstantProcess } from "../../support/instant-process.ts";
import { urlOf } from "../../support/service-rig.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { openDeliveryRig } from "../support/delivery-rig.ts";
import type { DevProcess } from "../support/dev-process.ts";
import { openDevProcess } from "../support/dev-process.ts";

const program = findEngine("instant") ?? "";
const token = "a-token-for-Prometheus-that-is-long-enough";

test("the metrics count outcomes and dead letters, and show the lag and why delivery is paused", async () => {
  const metrics = new Metrics();
  let worker: EmailWorker | undefined;
  const measures = createWorkerMetrics({
    metrics,
    clock: systemClock,
    worker: () => worker,
    lag: { read: () => lag.read() },
  });
  await using rig = await openDeliveryRig(measures);
  const { eventLog, eventsTopic: topic, group } = rig;
  const lag = new LagReader({ eventLog, topic, group, clock: systemClock });
  worker = await rig.startWorker();
  const linesOf = async () => (await metrics.render()).split("\n");
  rig.sink.setBehaviour([
    { at: "rcpt", recipient: "^bad@", does: { kind: "reply", text: "550 5.1.1 unknown" } },
    { at: "dot", recipient: "^lost@", does: { kind: "drop" } },
  ]);
  for (const name of ["good", "bad", "lost"]) {
    await rig.publish(welcomeEvent({ recipient: `${name}@example.com` }));
  }
  await rig.untilDrained();
  expect(await linesOf()).toEqual(
    expect.arrayContaining([
      'instant_email_outcomes_total{outcome="accepted"} 1',
      'instant_email_dead_letters_total{class="rejected"} 1',
      'instant_email_dead_letters_total{class="ambiguous"} 1',
      "instant_email_ambiguous_total 1",
      'instant_email_accepted_after_seconds_count{event_type="welcome"} 1',
      'instant_email_paused{part="smtp"} 0',
      'instant_email_connected{engine="ledger"} 1',
      "instant_email_pending_outcomes 0",
      'instant_email_lag_records{partition="0"} 0',
      'instant_email_lag_seconds{partition="0"} 0',
    ]),
  );
  await rig.sink.refuse();
  await rig.publish(welcomeEvent());
  await eventually("the metrics show that delivery waits", async () =>
    (await linesOf()).includes('instant_email_paused{part="smtp"} 1'),
  );
  expect(await linesOf()).toContain(
    `instant_email_server_down{cause="connect",server="127.0.0.1:${rig.sink.port}"} 1`,
  );
  expect((await linesOf()).some((line) => /lag_records\{partition="\d"\} 1/.test(line))).toBe(true);
});

describe.skipIf(program === "")("/metrics of running services", () => {
  let dev: DevProcess;
  beforeAll(async () => {
    dev = await openDevProcess(program);
  });
  afterAll(() => dev[Symbol.asyncDispose]());

  const linesOf = async (url: string) => (await (await fetch(`${url}/metrics`)).text()).split("\n");

  test("are exactly those of the documentation", async () => {
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

  test("of serve-auth are not served through a proxy", async () => {
    const headers = { "X-Forwarded-For": "203.0.113.7" };
    expect((await fetch(`${dev.authUrl}/metrics`, { headers })).status).toBe(404);
  });
});

test.skipIf(program === "")(
  "with METRICS_TOKEN, serve-auth shows its metrics only to a client with the token",
  async () => {
    await using dev = await openDevProcess(program, { METRICS_TOKEN: token });
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

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";

async function requestCode(url: string): Promise<void> {
  await fetch(`${url}/auth/request-code`, {
    method: "POST",
    headers: {
      "Content-Type": "application/json",
      traceparent: `00-${traceId}-00f067aa0ba902b7-01`,
    },
    body: JSON.stringify({ email: "traced@example.com" }),
  });
}

/** serve-auth and, unless mails go directly, serve-email, as processes on the same files. */
async function openServices(stack: AsyncDisposableStack, enableKafka: boolean) {
  const { path: directory } = stack.use(temporaryDirectory());
  const ports = { AUTH_SERVICE_PORT: "0", EMAIL_SERVICE_PORT: "0" };
  const environment = { ...ports, ENABLE_KAFKA: String(enableKafka), LOG_LEVEL: "info" };
  const start = (command: string) =>
    stack.use(new InstantProcess([command], { program, directory, environment }));
  const auth = start("serve-auth");
  const authUrl = await urlOf(auth, "Auth service started");
  const email = enableKafka ? start("serve-email") : auth;
  const file = stack.use(await openSqlite(join(directory, ".instant", "state.sqlite")));
  return { auth, email, authUrl, ledger: await openSqliteDeliveryLedger({ database: file }) };
}

describe.skipIf(program === "")("the traceparent of a request", () => {
  test.each([
    ["over the event log", true],
    ["directly", false],
  ])("is in the log lines of its mail and in the ledger, %s", async (_, enableKafka) => {
    await using stack = new AsyncDisposableStack();
    const { auth, email, authUrl, ledger } = await openServices(stack, enableKafka);
    await requestCode(authUrl);
    const phrase = "Marked email as processed";
    const [sent] = await eventually("the mail is sent", () => {
      const lines = email.findLogs(phrase);
      return lines.length > 0 ? lines : undefined;
    });
    for (const line of ["Email event consumed", "Email sent successfully", phrase]) {
      expect(email.findLogs(line)[0]?.["traceId"]).toBe(traceId);
    }
    expect(auth.findLogs("HTTP request")[0]?.["traceId"]).toBe(traceId);
    const record = await ledger.find(String(sent?.["messageID"]));
    expect(record?.traceId).toBe(traceId);
  });
});
