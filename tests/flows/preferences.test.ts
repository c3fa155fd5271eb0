import { describe, expect, test } from "bun:test";
import { coreErrors, InstantError } from "../../src/core/errors.ts";
import { recipientKey } from "../../src/email/event.ts";
import { getPreferences, tokenLifeMs } from "../../src/email/preferences/preference-store.ts";
import type { RecipientWorld } from "../support/recipient-world.ts";
import { recipientEngines } from "../support/recipient-world.ts";

const email = "ana@example.com";
const key = recipientKey(email);
const form = { "Content-Type": "application/x-www-form-urlencoded" };
const oneClick = "List-Unsubscribe=One-Click";
const path = "/users/me/preferences";

const wants = async ({ preferences }: RecipientWorld) =>
  (await getPreferences(preferences, key)).welcome;
const post = (opened: RecipientWorld, link: string, body = oneClick, headers = {}) =>
  opened.world.request(link, { method: "POST", body, headers: { ...form, ...headers } });

describe.each(recipientEngines())("preferences on %s", (_, open) => {
  describe("the API", () => {
    test("shows all optional mails as wanted first, and keeps what is changed", async () => {
      await using opened = await open();
      const { token } = await opened.world.signIn(email);
      const read = async () => (await opened.world.request(path, { token })).json();
      expect(await read()).toMatchObject({ welcome: true });
      const change = { method: "PATCH", token, body: { welcome: false } };
      const changed = await opened.world.request(path, change);
      expect([changed.status, await changed.json()]).toMatchObject([200, { welcome: false }]);
      expect(await read()).toMatchObject({ welcome: false });
      await opened.world.request(path, { ...change, body: {} });
      expect(await wants(opened)).toBe(false);
      await opened.world.request(path, { ...change, body: { welcome: true } });
      expect(await wants(opened)).toBe(true);
    });

    test("answers 401 without a session", async () => {
      await using opened = await open();
      expect((await opened.world.request(path)).status).toBe(401);
      const change = { method: "PATCH", body: { welcome: false } };
      expect((await opened.world.request(path, change)).status).toBe(401);
    });

    test.each([
      [{ verification_code: false }],
      [{ sign_in_notice: false }],
      [{ welcome: "no" }],
      [{ welcome: null }],
      [[]],
      ["no JSON"],
    ])("refuses %j, and changes nothing", async (body: unknown) => {
      await using opened = await open();
      const { token } = await opened.world.signIn(email);
      const answer = await opened.world.request(path, { method: "PATCH", token, body });
      expect([400, 422]).toContain(answer.status);
      expect(await wants(opened)).toBe(true);
    });

    test("names the types there are when another one is given", async () => {
      await using opened = await open();
      const { token } = await opened.world.signIn(email);
      const body = { verification_code: false };
      const answer = await opened.world.request(path, { method: "PATCH", token, body });
      expect(await answer.text()).toContain("may only have welcome");
    });

    test("takes a write with the cookie from our own pages alone", async () => {
      await using opened = await open();
      const { token } = await opened.world.signIn(email);
      const ask = (headers: Record<string, string>) =>
        opened.world.request(path, {
          method: "PATCH",
          body: { welcome: false },
          headers: { Cookie: `session_id=${token}`, Host: "localhost", ...headers },
        });
      expect((await ask({ "Sec-Fetch-Site": "cross-site" })).status).toBe(403);
      expect((await ask({})).status).toBe(403);
      expect(await wants(opened)).toBe(true);
      expect((await ask({ "Sec-Fetch-Site": "same-origin" })).status).toBe(200);
      expect(await wants(opened)).toBe(false);
    });

    test("is in the OpenAPI document, with an example", async () => {
      await using opened = await open();
      const document = await (await opened.world.request("/openapi.json")).json();
      const { get, patch } = (document as { paths: Record<string, Record<string, unknown>> }).paths[
        path
      ] as Record<string, { requestBody?: { content: Record<string, { example: unknown }> } }>;
      expect(get).toBeDefined();
      const { example } = patch?.requestBody?.content["application/json"] ?? {};
      expect(example).toEqual({ welcome: false });
    });
  });

  describe("the link in a mail", () => {
    test("unsubscribes by one POST without a cookie, at once, however often it is repeated", async () => {
      await using opened = await open();
      const link = opened.linkTo(email);
      for (let time = 0; time < 3; time += 1) {
        const answer = await post(opened, link);
        expect(answer.status).toBe(200);
        expect(answer.headers.getSetCookie()).toEqual([]);
        expect(await answer.text()).toContain("You are unsubscribed");
        expect(await wants(opened)).toBe(false);
      }
    });

    test("takes the POST as a form of several parts too, and from whatever page", async () => {
      await using opened = await open();
      const body = `--x\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--x--\r\n`;
      const headers = {
        "Content-Type": "multipart/form-data; boundary=x",
        "Sec-Fetch-Site": "cross-site",
        Origin: "https://mail.example.net",
      };
      expect((await post(opened, opened.linkTo(email), body, headers)).status).toBe(200);
      expect(await wants(opened)).toBe(false);
    });

    test("changes nothing when it is opened, as link scanners do", async () => {
      await using opened = await open();
      const link = opened.linkTo(email);
      for (const method of ["GET", "HEAD"]) {
        expect((await opened.world.request(link, { method })).status).toBe(200);
      }
      expect(await wants(opened)).toBe(true);
    });

    test("shows no address, is not cached or indexed, and needs no script", async () => {
      await using opened = await open();
      const answer = await opened.world.request(opened.linkTo(email));
      const html = await answer.text();
      expect(html).not.toMatch(/ana|example|[0-9a-f]{32}/);
      expect(html).not.toContain("<script");
      expect(answer.headers.get("Cache-Control")).toBe("no-store");
      expect(answer.headers.get("X-Robots-Tag")).toBe("noindex");
      expect(answer.headers.get("Content-Security-Policy")).toContain("default-src 'none'");
    });

    test.each([
      ["forged", 400, (link: string) => link.replace(/.$/, (sign) => (sign === "A" ? "Q" : "A"))],
      [
        "of somebody else's recipient",
        400,
        (link: string) => link.replace(/\/[0-9a-f]{4}/, "/0000"),
      ],
      ["cut", 400, (link: string) => link.slice(0, -5)],
      ["old", 410, (link: string) => link],
    ] as const)("that is %s is answered by %i and changes nothing", async (name, status, spoil) => {
      await using opened = await open();
      const link = spoil(opened.linkTo(email));
      if (name === "old") await opened.world.clock.advance(tokenLifeMs);
      expect((await opened.world.request(link)).status).toBe(status);
      expect((await post(opened, link)).status).toBe(status);
      expect(await wants(opened)).toBe(true);
    });

    test.each(["", "List-Unsubscribe=Two-Clicks", "welcome=yes", "{}"])(
      "with a POST of %j changes nothing",
      async (body) => {
        await using opened = await open();
        expect((await post(opened, opened.linkTo(email), body)).status).toBe(400);
        expect(await wants(opened)).toBe(true);
      },
    );

    test("has a form for its type, which can be wanted again", async () => {
      await using opened = await open();
      const link = opened.linkTo(email);
      await post(opened, link, "choose=yes");
      expect(await wants(opened)).toBe(false);
      const answer = await post(opened, link, "choose=yes&welcome=yes");
      expect(await answer.text()).toContain("Saved.");
      expect(await wants(opened)).toBe(true);
    });

    test.each(["choose=yes&welcome=yes", "choose=yes&welcome=yes&sign_in_notice=no", oneClick])(
      "changes its own type alone with %s",
      async (body) => {
        await using opened = await open();
        await opened.preferences.change(key, { welcome: false });
        const changes: string[][] = [];
        const { preferences } = opened;
        const change = preferences.change.bind(preferences);
        preferences.change = (recipient, changed) => {
          changes.push(Object.keys(changed));
          return change(recipient, changed);
        };
        expect((await post(opened, opened.linkTo(email), body)).status).toBe(200);
        expect(changes).toEqual([["welcome"]]);
      },
    );

    test("of a notice of a sign-in, which could be declined once, says that it is always sent", async () => {
      await using opened = await open();
      const link = opened.linkTo(email, "sign_in_notice");
      expect((await post(opened, link)).status).toBe(410);
      const answer = await opened.world.request(link);
      expect(answer.status).toBe(410);
      expect(await answer.text()).toContain("These e-mails are always sent");
    });

    test("says when what was chosen cannot be saved now", async () => {
      const preferencesUnavailable = new InstantError(coreErrors.postgresUnavailable);
      await using opened = await open({ preferencesUnavailable });
      const answer = await post(opened, opened.linkTo(email));
      expect([answer.status, answer.headers.get("Retry-After")]).toEqual([503, "5"]);
      expect(await answer.text()).toContain("nothing was changed");
    });
  });

  test("the account page leads to the same page, for all types at once", async () => {
    await using opened = await open();
    const { world } = opened;
    const { token } = await world.signIn(email);
    const account = await world.request("/account", {
      headers: { Cookie: `session_id=${token}` },
    });
    const [link = ""] = /\/unsubscribe\/[^"]+/.exec(await account.text()) ?? [];
    const page = await (await world.request(link)).text();
    expect(page).toContain("Optional e-mails");
    expect(page).not.toContain("Unsubscribe from");
    const read = async () => (await world.request(path, { token })).json();
    await post(opened, link, "choose=yes");
    expect(await read()).toEqual({ welcome: false });
    await post(opened, link, "choose=yes&welcome=yes");
    expect(await read()).toEqual({ welcome: true });
    await post(opened, link);
    expect(await read()).toEqual({ welcome: false });
  });

  test("an address that is changed takes the preferences along, and the old one has none", async () => {
    await using opened = await open();
    const { world, preferences } = opened;
    const { token } = await world.signIn(email);
    await preferences.change(key, { welcome: false });
    const ask = (at: string, body: object) => world.request(at, { method: "POST", token, body });
    await ask("/users/me/email", { email: "ana@example.org" });
    const body = { email: "ana@example.org", code: world.publisher.code };
    expect((await ask("/users/me/email/verify", body)).status).toBe(200);
    const read = await world.request(path, { token });
    expect(await read.json()).toEqual({ welcome: false });
    expect(await wants(opened)).toBe(true);
  });

  test("an account that is deleted leaves no preferences, and no name of a suppressed address", async () => {
    await using opened = await open();
    const { world, preferences, suppressions } = opened;
    const { token } = await world.signIn(email);
    await preferences.change(key, { welcome: false });
    const createdAt = Date.UTC(2026, 0, 1);
    const entry = { key, address: email, note: "no such user", createdAt, expiresAt: undefined };
    await suppressions.add([{ ...entry, reason: "bounced" }]);
    await world.clock.advance(60_000);
    await world.request("/users/me/delete-code", { method: "POST", token });
    const body = { code: world.publisher.code };
    const answer = await world.request("/users/me/delete", { method: "POST", token, body });
    expect(answer.status).toBe(204);
    expect(await wants(opened)).toBe(true);
    expect((await suppressions.find([key])).get(key)).toMatchObject({
      reason: "bounced",
      address: undefined,
      note: undefined,
    });
  });
});
