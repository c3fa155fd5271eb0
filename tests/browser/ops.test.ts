import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { findEngine } from "../../support/engines.ts";
import { codeEvent, welcomeEvent } from "../../support/events.ts";
import { eventually } from "../../support/eventually.ts";
import { openTestPostgres } from "../../support/postgres-schema.ts";
import type { ServiceRig } from "../../support/service-rig.ts";
import { openServiceRig, urlOf } from "../../support/service-rig.ts";
import { openBrowser, visit } from "../support/visitor.ts";

const program = findEngine("instant") ?? "";
const chromium = findEngine("chromium") ?? "";
const kafka = findEngine("kafka") ?? "";
const redis = findEngine("redis") ?? "";
const postgres = findEngine("postgres") ?? "";
const complete = [program, chromium, kafka, redis, postgres].every((engine) => engine !== "");
const token = "a token for the operators";

describe.skipIf(!complete)("the operations pages on Kafka, Redis and Postgres", () => {
  const stack = new AsyncDisposableStack();
  let browser: Awaited<ReturnType<typeof openBrowser>>;
  let rig: ServiceRig;
  let url = "";
  const run = crypto.randomUUID().slice(0, 4);
  const ana = codeEvent({ recipient: `ana-${run}@example.com`, messageId: `ana-${run}` });
  const bob = welcomeEvent({ recipient: "bob@example.com", messageId: `bob-${run}` });

  beforeAll(async () => {
    const { schema } = stack.use(await openTestPostgres(postgres));
    browser = stack.use(await openBrowser(chromium));
    const environment = {
      OPS_TOKEN: token,
      APP_NAME: "Acme",
      DATABASE_URL: postgres,
      DB_SCHEMA: schema,
    };
    rig = stack.use(await openServiceRig({ program, kafka, redis, environment }));
    url = await urlOf(rig.start(["serve-email"]), "Email service started");
    const text = "554 5.7.1 <bob@example.com> not welcome";
    rig.sink.setBehaviour([{ at: "rcpt", recipient: "bob", does: { kind: "reply", text } }]);
    await rig.publish([ana, bob]);
    const value = new TextEncoder().encode(
      `{"message_id":"broken-${run}","data":{"code":"402817"}}`,
    );
    const broken = { key: null, headers: [], value };
    await rig.eventLog.publish(rig.eventsTopic, [broken], { deadlineMs: 5000 });
    await rig.untilDrained();
  }, 60_000);
  afterAll(() => stack.disposeAsync());

  /** Somebody who has signed in. */
  const operate = (act: Parameters<typeof visit>[2], options: Parameters<typeof visit>[1] = {}) =>
    visit(browser, options, async (visitor) => {
      const { page } = visitor;
      await page.goto(`${url}/`);
      await page.getByLabel("Token").fill(token);
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.getByRole("heading", { name: "Dashboard" }).waitFor();
      await act(visitor);
    });

  test("open with the token, and say when it is wrong", () =>
    visit(browser, { mayComplain: /401/ }, async ({ page, checkPage: look }) => {
      await page.goto(`${url}/dead-letters`);
      await look("ops-login");
      await page.getByLabel("Token").fill("something else");
      await page.keyboard.press("Enter");
      await page.getByText("Wrong token").waitFor();
      await look("ops-login-wrong");
      await page.getByLabel("Token").fill(token);
      await page.keyboard.press("Enter");
      await page.getByRole("heading", { name: "Dashboard" }).waitFor();
      await page.getByRole("button", { name: "Sign out" }).click();
      await page.getByLabel("Token").waitFor();
    }));

  test("show what happens as it happens, and pause when the server is away", () =>
    operate(async ({ page, checkPage: look }) => {
      await page.getByText("Delivery is running").waitFor();
      await page.getByText("this process").first().waitFor();
      await page.getByText("554 5.7.1 <b***@example.com> not welcome").waitFor();
      await look("ops-dashboard");
      const accepted = page.locator(".legend").getByText(/^\d+ accepted$/);
      const before = Number.parseInt((await accepted.textContent()) ?? "", 10);
      await rig.publish([codeEvent()]);
      await page.getByText(`${before + 1} accepted`).waitFor();
      rig.sink.setBehaviour([
        {
          at: "connect",
          does: { kind: "reply", text: "421 4.3.2 closing for maintenance", close: true },
        },
        {
          at: "mail",
          does: { kind: "reply", text: "421 4.3.2 closing for maintenance", close: true },
        },
      ]);
      await rig.publish([codeEvent()]);
      await page.getByText("Delivery is paused").waitFor();
      await look("ops-dashboard-paused");
      rig.sink.setBehaviour([]);
      await page.getByText("Delivery is running").waitFor();
      await rig.untilDrained();
    }));

  test("find the timeline of a mail by its recipient, without a script too", () =>
    operate(
      async ({ page, checkPage: look }) => {
        await page.getByRole("link", { name: "Search" }).click();
        await page.getByLabel("Recipient's address").fill(ana.recipient.toUpperCase());
        await page.getByRole("button", { name: "Search" }).click();
        await page.getByRole("heading", { name: "1 mail" }).waitFor();
        await look("ops-search");
        await page.getByRole("link", { name: ana.messageId }).click();
        const steps = page.locator(".steps");
        for (const state of ["claimed", "submitting", "accepted"]) {
          await steps.getByText(state, { exact: true }).waitFor();
        }
        expect(await page.textContent("main")).not.toMatch(/ana-.{4}@|402817/);
        await look("ops-mail");
      },
      { scripts: false },
    ));

  test("find a mail by its message_id, and say when it is not known", () =>
    operate(
      async ({ page, checkPage: look }) => {
        await page.goto(`${url}/search`);
        await page.getByLabel("Recipient's address").fill(bob.messageId);
        await page.keyboard.press("Enter");
        await page.getByText("rejected: refused").waitFor();
        await look("ops-mail-refused");
        await page.goto(`${url}/mails/nobody-knows`);
        await page.getByRole("heading", { name: "Mail not found" }).waitFor();
        await page.goto(`${url}/nowhere`);
        await page.getByRole("link", { name: "Dashboard" }).waitFor();
        await look("ops-nowhere");
      },
      { mayComplain: /404/ },
    ));

  test("show dead letters by class, masked", () =>
    operate(async ({ page, checkPage: look }) => {
      await page.getByRole("link", { name: "Dead letters" }).click();
      await page.getByRole("link", { name: "malformed 1" }).click();
      await look("ops-dead-letters");
      await page.getByRole("link", { name: `broken-${run}` }).click();
      await page.getByText('"code": "•••"').waitFor();
      expect(await page.textContent("main")).not.toContain("402817");
      await look("ops-dead-letter");
    }));

  test("replay a dead letter after a dry run, and show the progress", () =>
    operate(async ({ page, checkPage: look }) => {
      rig.sink.setBehaviour([]);
      await page.goto(`${url}/dead-letters/of/rejected/1`);
      await page.getByRole("button", { name: "Dry run" }).click();
      await page.getByRole("heading", { name: "1 dead letter would be replayed" }).waitFor();
      await look("ops-plan");
      const sent = () =>
        rig.sink.accepted.some(({ messageId }) => messageId.includes(bob.messageId));
      expect(sent()).toBe(false);
      await page.getByRole("button", { name: "Replay 1 dead letter" }).click();
      await page.getByText("1 replayed. They are back on the events topic").waitFor();
      await look("ops-replay");
      await eventually("the mail was accepted", sent);
      await rig.untilDrained();
      await page.goto(`${url}/mails/${bob.messageId}`);
      await page.getByText("replay 1").waitFor();
      await page.goto(`${url}/dead-letters/of/rejected/1`);
      await page.getByRole("button", { name: "Dry run" }).click();
      await page.getByText("1 accepted meanwhile").waitFor();
    }));

  test("can be walked by keyboard", () =>
    operate(async ({ page }) => {
      await page.getByRole("link", { name: "Search" }).focus();
      await page.keyboard.press("Enter");
      await page.waitForURL(`${url}/search`);
      const reached: string[] = [];
      for (let tabs = 0; tabs < 8; tabs += 1) {
        await page.keyboard.press("Tab");
        reached.push(String(await page.evaluate("document.activeElement.textContent")));
      }
      expect(reached.slice(0, 5)).toEqual([
        "AAcme operations",
        "Dashboard",
        "Search",
        "Dead letters",
        "Sign out",
      ]);
      expect(reached).toContain("Search");
    }));
});
