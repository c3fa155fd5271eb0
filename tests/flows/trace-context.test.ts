import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { openSqlite } from "../../src/core/sqlite/database.ts";
import { openSqliteDeliveryLedger } from "../../src/email/ledger/sqlite.ts";
import { findEngine } from "../../support/engines.ts";
import { eventually } from "../../support/eventually.ts";
import { InstantProcess } from "../../support/instant-process.ts";
import { urlOf } from "../../support/service-rig.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

const program = findEngine("instant") ?? "";
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
