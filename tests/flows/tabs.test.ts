import { describe, expect, test } from "bun:test";
import { openPageClient } from "../support/page-client.ts";
import type { SignInWorld } from "../support/sign-in-world.ts";
import { openEmbeddedWorld, signInEngines } from "../support/sign-in-world.ts";

const [ana, ben] = ["ana@example.com", "ben@example.com"];
const otherThan = (code: string) => (code === "999999" ? "999998" : "999999");
const switched = "that page was open for another account";

const emailOf = async (world: SignInWorld, token: string | undefined) => {
  const answer = await world.request("/auth/me", { token: token ?? "" });
  return ((await answer.json()) as { email?: string }).email;
};

/** A browser with one tab for each address, each waiting for its code. */
async function openTwoTabs(world: SignInWorld) {
  const client = openPageClient(world);
  const ask = async (email: string) => {
    await client.post("/sign-in", { email });
    return { code: world.publisher.code, tab: await client.open("/sign-in/code") };
  };
  return { client, first: await ask(ana), second: await ask(ben) };
}

describe.each(signInEngines())("two tabs that asked for two addresses on %s", (_, open) => {
  test("each verify the code of their own", async () => {
    await using world = await open();
    const { client, first, second } = await openTwoTabs(world);
    expect([first.tab.html.includes(ana), second.tab.html.includes(ben)]).toEqual([true, true]);
    await first.tab.post("/sign-in/code", { code: first.code });
    expect(await emailOf(world, client.cookies.get("session_id"))).toBe(ana);
    await second.tab.post("/sign-in/code", { code: second.code });
    expect(await emailOf(world, client.cookies.get("session_id"))).toBe(ben);
  });

  test("each count their wrong codes, and show what they are for", async () => {
    await using world = await open();
    const { client, first, second } = await openTwoTabs(world);
    for (let wrong = 1; wrong <= 5; wrong += 1) {
      const answer = await first.tab.post("/sign-in/code", { code: otherThan(first.code) });
      const page = await client.follow(answer);
      expect(page).toContain(wrong < 5 ? ana : "for the next 15 minutes");
      expect(page).not.toContain(ben);
    }
    const answer = await second.tab.post("/sign-in/code", { code: second.code });
    expect(answer.headers.get("Location")).toBe("/account");
  });

  test("each send a new code to their own address", async () => {
    await using world = await open();
    const { client, first, second } = await openTwoTabs(world);
    await world.clock.advance(2 * 60_000);
    for (const [tab, email] of [
      [first.tab, ana],
      [second.tab, ben],
    ] as const) {
      const answer = await tab.post("/sign-in/again");
      expect(world.publisher.events.at(-1)?.recipient).toBe(email);
      expect(await client.follow(answer)).toContain(email);
    }
  });

  test("leave each other their page after one has signed in", async () => {
    await using world = await open();
    const { client, first } = await openTwoTabs(world);
    await first.tab.post("/sign-in/code", { code: first.code });
    expect(await (await client.get("/sign-in/code")).text()).toContain(ben);
  });
});

describe("what a form says of its page", () => {
  test("is taken only as we signed it", async () => {
    await using world = await openEmbeddedWorld();
    const { client, first } = await openTwoTabs(world);
    const [, signed = ""] = /name="shown_for" value="([^"]+)"/.exec(first.tab.html) ?? [];
    const [text = "", ...signature] = signed.split(".");
    const swapped = Buffer.from(
      Buffer.from(text, "base64url").toString().replace(ana, "eve@example.com"),
    ).toString("base64url");
    const forged = [swapped, ...signature].join(".");
    for (const shown_for of [forged, "x", client.cookies.get("page_code") ?? ""]) {
      const code = first.code;
      const answer = await client.post("/sign-in/code", { code, shown_for });
      expect(answer.headers.get("Location")).toBe("/sign-in/code");
      expect(client.cookies.has("session_id")).toBe(false);
    }
    await first.tab.post("/sign-in/code", { code: first.code }); // nothing was counted either
    expect(client.cookies.has("session_id")).toBe(true);
  });

  test("names no address that the page does not show", async () => {
    await using world = await openEmbeddedWorld();
    const client = openPageClient(world);
    await client.signIn(ana);
    for (const path of ["/account", "/account/delete"]) {
      const { html } = await client.open(path);
      for (const [, signed = ""] of html.matchAll(/name="shown_for" value="([^".]+)/g)) {
        const text = Buffer.from(signed, "base64url").toString();
        expect(Object.keys(JSON.parse(text) as object)).toEqual(["userId"]);
      }
    }
  });

  test("is not needed: a page of the release before had none", async () => {
    await using world = await openEmbeddedWorld();
    const client = openPageClient(world);
    await client.signIn(ana);
    const saved = await client.post("/account/username", { username: "ana" });
    expect(await client.follow(saved)).toContain("Saved.");
  });
});

describe("a tab of another account", () => {
  /** Opens these pages as Ana, then signs in as Ben in another tab. */
  async function openStale(world: SignInWorld, ...paths: string[]) {
    const client = openPageClient(world);
    await world.signIn(ana); // elsewhere, so that there is another session to end
    await client.signIn(ana);
    const tabs = await Promise.all(paths.map((path) => client.open(path)));
    await client.signIn(ben);
    const elsewhere = await world.signIn(ben);
    return { client, tabs, elsewhere };
  }

  test.each([
    ["/account", "/account/username", { username: "ana" }],
    ["/account", "/account/email", { email: "new@example.com" }],
    ["/account", "/account/sessions/revoke", {}],
    ["/account", "/account/sessions/revoke-others", {}],
    ["/account/delete", "/account/delete", {}],
  ])("opened at %s changes nothing by %s, and the answer says so", async (path, action, fields) => {
    await using world = await openEmbeddedWorld();
    const { client, tabs, elsewhere } = await openStale(world, path);
    const mails = world.publisher.events.length;
    const answer = await tabs[0]?.post(action, fields);
    expect(answer?.headers.get("Location")).toBe("/account");
    const page = answer === undefined ? "" : await client.follow(answer);
    expect([page.includes(switched), page.includes(ben)]).toEqual([true, true]);
    expect(world.publisher.events).toHaveLength(mails);
    const me = await world.request("/auth/me", { token: elsewhere.token });
    expect(await me.json()).toMatchObject({ email: ben, username: null });
  });

  test.each([
    ["/account/email", { email: "new@example.com" }],
    ["/account/delete", {}],
  ])("that waits for the code of %s changes nothing", async (action, fields) => {
    await using world = await openEmbeddedWorld();
    const client = openPageClient(world);
    await client.signIn(ana);
    await client.post(action, fields);
    const tab = await client.open(`${action}/code`);
    const { code } = world.publisher;
    const kept = client.cookies.get("page_code") ?? "";
    await client.signIn(ben);
    for (const path of [`${action}/code`, `${action}/again`]) {
      const answer = await tab.post(path, { code });
      expect(await client.follow(answer)).toContain(switched);
    }
    client.cookies.set("page_code", kept); // nor without the form's own word
    expect(await (await client.get(`${action}/code`)).text()).toContain("Start again");
    expect(await client.follow(await client.post(`${action}/code`, { code }))).toContain(switched);
    const account = await (await client.get("/account")).text();
    expect([account.includes(ben), account.includes("new@example.com")]).toEqual([true, false]);
  });

  test("may sign out: whoever asks for that wants nobody signed in here", async () => {
    await using world = await openEmbeddedWorld();
    const { client, tabs } = await openStale(world, "/account");
    await tabs[0]?.post("/sign-out");
    expect(client.cookies.has("session_id")).toBe(false);
  });
});

describe("a note for the next page", () => {
  async function saveName(world: SignInWorld) {
    const client = openPageClient(world);
    await client.signIn(ana);
    await client.post("/account/username", { username: "ana" });
    return client;
  }

  test("is shown once", async () => {
    await using world = await openEmbeddedWorld();
    const client = await saveName(world);
    expect(await (await client.get("/account")).text()).toContain("Saved.");
    expect(await (await client.get("/account")).text()).not.toContain("Saved.");
  });

  test.each([
    ["Sec-Purpose", "prefetch"],
    ["Sec-Purpose", "prefetch;prerender"],
    ["Purpose", "prefetch"],
    ["X-Purpose", "preview"],
    ["X-Moz", "prefetch"],
  ])("outlives a page that is fetched ahead, by %s: %s", async (name, value) => {
    await using world = await openEmbeddedWorld();
    const client = await saveName(world);
    await client.get("/account", { [name]: value });
    expect(await (await client.get("/account")).text()).toContain("Saved.");
  });

  test.each([
    [{ "Sec-Fetch-Dest": "image", "Sec-Fetch-Site": "same-site" }],
    [{ "Sec-Fetch-Dest": "empty", "Sec-Fetch-Site": "same-site" }],
    [{ "Sec-Fetch-Dest": "empty", "Sec-Fetch-Site": "cross-site" }],
  ])("outlives what another page fetches: %j", async (headers) => {
    await using world = await openEmbeddedWorld();
    const client = await saveName(world);
    await client.get("/account", headers);
    expect(await (await client.get("/account")).text()).toContain("Saved.");
  });

  test("is shown once by the page's own script", async () => {
    await using world = await openEmbeddedWorld();
    const client = await saveName(world);
    const headers = { "Sec-Fetch-Dest": "empty", "Sec-Fetch-Site": "same-origin" };
    expect(await (await client.get("/account", headers)).text()).toContain("Saved.");
    expect(await (await client.get("/account", headers)).text()).not.toContain("Saved.");
  });

  test("outlives a HEAD", async () => {
    await using world = await openEmbeddedWorld();
    const client = await saveName(world);
    const cookie = [...client.cookies].map((pair) => pair.join("=")).join("; ");
    const head = await world.request("/account", { method: "HEAD", headers: { Cookie: cookie } });
    expect([head.status, head.headers.getSetCookie()]).toEqual([200, []]);
  });

  test("outlives a page that does not show it", async () => {
    await using world = await openEmbeddedWorld();
    const client = await saveName(world);
    for (const path of ["/account/delete", "/account/email/code", "/nowhere", "/icon.svg"]) {
      await client.get(path);
    }
    expect(await (await client.get("/account")).text()).toContain("Saved.");
  });
});
