import { describe, expect, test } from "bun:test";
import { findEngine } from "../../support/engines.ts";
import { codeEvent } from "../../support/events.ts";
import { eventually } from "../../support/eventually.ts";
import { openServiceRig, urlOf } from "../../support/service-rig.ts";
import { openSmtpSink } from "../../support/smtp-sink/smtp-sink.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { runInstant } from "../support/run-instant.ts";

const [program, kafka, redis] = [findEngine("instant"), findEngine("kafka"), findEngine("redis")];
const password = "hid/den@pass";

/** Two servers that want a login, of different senders. */
async function openServers() {
  const stack = new AsyncDisposableStack();
  const auth = { user: "mailer", password };
  const first = stack.use(await openSmtpSink({ auth }));
  const second = stack.use(await openSmtpSink({ auth }));
  const login = `mailer:${encodeURIComponent(password)}`;
  const urls = [
    `smtp://${login}@127.0.0.1:${first.port}?tls=none&from=a@one.example`,
    `smtp://${login}@127.0.0.1:${second.port}?tls=none&from=b@two.example`,
  ];
  const environment = { EMAIL_MODE: "smtp", SMTP_HOST: "", SMTP_FROM: "", SMTP_URLS: urls.join() };
  return { first, second, environment, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

describe.skipIf(program === undefined)("SMTP_URLS", () => {
  test.skipIf(kafka === undefined || redis === undefined)(
    "serve-email sends by the second while the first is down, and says so",
    async () => {
      await using servers = await openServers();
      const { first, second, environment } = servers;
      await using rig = await openServiceRig({
        program: program ?? "",
        kafka: kafka ?? "",
        redis: redis ?? "",
        environment,
      });
      const process = rig.start(["serve-email"]);
      const url = await urlOf(process, "Email service started");
      first.misbehave({ at: "auth", does: { kind: "reply", text: "535 5.7.8 no" } });
      const events = [codeEvent(), codeEvent()];
      await rig.publish(events);
      await eventually("the second took them", () => second.acceptedTotal === 2, 30_000);
      await rig.untilDrained();
      expect(second.accepted.map(({ from }) => from)).toEqual(["b@two.example", "b@two.example"]);
      const port = url.slice(url.lastIndexOf(":"));
      const ready = await fetch(`http://127.0.0.1${port}/readyz`);
      const said = await ready.text();
      expect([ready.status, said]).toEqual([200, expect.stringContaining(`:${first.port}`)]);
      const metrics = await (await fetch(`http://127.0.0.1${port}/metrics`)).text();
      expect(metrics).toContain(
        `instant_email_server_down{cause="login",server="127.0.0.1:${first.port}"} 1`,
      );
      first.setBehaviour([]);
      const [next] = [codeEvent()];
      await eventually(
        "the first is back",
        () => process.findLogs("SMTP server is back").length > 0,
        15_000,
      );
      await rig.publish([next]);
      await eventually("the first took one", () => first.acceptedTotal === 1, 15_000);
      expect(`${process.output}${said}${metrics}`).not.toMatch(/hid.{0,3}den/);
    },
    90_000,
  );

  test("send-test sends by each, or by the one that is named", async () => {
    await using servers = await openServers();
    using directory = temporaryDirectory();
    const run = (...more: string[]) =>
      runInstant(["send-test", "--to", "ana@example.com", ...more], {
        directory: directory.path,
        environment: servers.environment,
      });
    expect((await run()).exitCode).toBe(0);
    expect([servers.first.acceptedTotal, servers.second.acceptedTotal]).toEqual([1, 1]);
    expect((await run("--server", "2")).exitCode).toBe(0);
    expect([servers.first.acceptedTotal, servers.second.acceptedTotal]).toEqual([1, 2]);
    const unknown = await run("--server", "3");
    expect([unknown.exitCode, unknown.stderr]).toEqual([
      2,
      expect.stringContaining("--server must be"),
    ]);
  }, 30_000);

  test("doctor checks each", async () => {
    await using servers = await openServers();
    using directory = temporaryDirectory();
    await servers.second.refuse();
    const { stdout } = await runInstant(["doctor", "serve-email"], {
      directory: directory.path,
      environment: servers.environment,
    });
    expect(stdout).toContain(`127.0.0.1:${servers.first.port}`);
    expect(stdout).toContain(`Cannot connect to 127.0.0.1:${servers.second.port}`);
    expect(stdout).not.toMatch(/hid.{0,3}den/);
  }, 30_000);
});
