import { describe, expect, test } from "bun:test";
import { codePolicyDefault } from "../../support/settings.ts";
import { fromOurPage, openPageClient } from "../support/page-client.ts";
import type { SignInWorld } from "../support/sign-in-world.ts";
import { openEmbeddedWorld, problemOf, signInEngines } from "../support/sign-in-world.ts";

const email = "test@example.com";
const minute = 60_000;
/** Shaped like a token, and nobody's. */
const junk = (index: number) => String(index).padStart(43, "x");
const cookies = (...pairs: string[]) => ({ headers: { Cookie: pairs.join("; ") } });

async function whoIs(world: SignInWorld, ...pairs: string[]): Promise<unknown> {
  const response = await world.request("/auth/me", cookies(...pairs));
  if (response.status !== 200) return response.status;
  return ((await response.json()) as { email: string }).email;
}

/** The same stores, with the number of sessions that were looked up. */
function countChecks(world: SignInWorld) {
  let checks = 0;
  const { sessions } = world.stores;
  const check = (token: string) => {
    checks += 1;
    return sessions.check(token);
  };
  return { counted: world.restart({ sessions: { ...sessions, check } }), checks: () => checks };
}

describe.each(signInEngines())("the session's cookie on %s", (_, open) => {
  test("is named __Host- where it is Secure, which keeps other hosts from setting it", async () => {
    await using world = await open({ secureCookies: true });
    await world.post("/auth/request-code", { email });
    const body = { email, code: world.publisher.code };
    const answer = await world.post("/auth/verify-code", body);
    const { token } = (await answer.json()) as { token: string };
    expect(answer.headers.getSetCookie()).toEqual([
      `__Host-session_id=${token}; Max-Age=2592000; Path=/; HttpOnly; Secure; SameSite=Lax`,
      expect.stringMatching(/^__Host-known_device=.*; Secure;/) as unknown as string,
    ]);
    expect(await whoIs(world, `__Host-session_id=${token}`)).toBe(email);
  });

  test("wins over one of a neighbour, and over any number of them", async () => {
    await using world = await open({ secureCookies: true });
    const { token: theirs } = await world.signIn("evil@example.com");
    const { token: ours } = await world.signIn(email);
    const planted = `session_id=${theirs}`; // with Domain=example.com; Path=/account it comes first
    expect(await whoIs(world, planted, `__Host-session_id=${ours}`)).toBe(email);
    const plain = world.restart({ secureCookies: false });
    const others = Array.from({ length: 50 }, (__, index) => `session_id=${junk(index)}`);
    expect(await whoIs(plain, planted, ...others, `session_id=${ours}`)).toBe(email);
    expect(await whoIs(plain, `session_id=${ours}`, `session_id=${junk(1)}`)).toBe(email);
  });

  test("costs one look at the store, also beside others of its name", async () => {
    await using world = await open({ secureCookies: true });
    const { token } = await world.signIn(email);
    const { counted, checks } = countChecks(world);
    const ours = `__Host-session_id=${token}`;
    const others = [1, 2, 3].map((index) => `session_id=${junk(index)}`);
    for (const sent of [[ours], [...others, ours], [ours, ...others]]) {
      const before = checks();
      const answer = await counted.request("/auth/session", cookies(...sent));
      expect([answer.status, checks() - before]).toEqual([200, 1]);
    }
    const many = Array.from({ length: 50 }, (__, index) => `session_id=${junk(index)}`);
    const before = checks();
    expect((await counted.request("/auth/session", cookies(...many))).status).toBe(401);
    expect(checks() - before).toBe(8);
  });

  test("is still read by the name of the release before, and leaves with it", async () => {
    await using world = await open();
    const { token } = await world.signIn(email);
    const upgraded = world.restart({ secureCookies: true });
    expect(await whoIs(upgraded, `session_id=${token}`)).toBe(email);
    const headers = { Cookie: `session_id=${token}`, ...fromOurPage };
    const left = await upgraded.request("/auth/logout", { method: "POST", headers });
    expect(left.headers.getSetCookie().map((text) => text.split(";")[0])).toEqual([
      "__Host-session_id=",
      "session_id=",
    ]);
    expect(await whoIs(upgraded, `session_id=${token}`)).toBe(401);
  });

  test("is read by the plain name only where it is not Secure", async () => {
    await using world = await open();
    const { token } = await world.signIn(email);
    expect(await whoIs(world, `session_id=${token}`)).toBe(email);
    expect(await whoIs(world, `__Host-session_id=${token}`)).toBe(401);
  });

  test("has the name of AUTH_COOKIE_NAME, in the document too", async () => {
    await using world = await open({ cookieName: "acme", secureCookies: true });
    const { token } = await world.signIn(email);
    expect(await whoIs(world, `session_id=${token}`)).toBe(401);
    expect(await whoIs(world, `__Host-acme=${token}`)).toBe(email);
    const document = await (await world.request("/openapi.json")).text();
    expect(document).toContain('"name":"__Host-acme"');
    expect(document).not.toContain("session_id");
  });
});

describe("a Bearer token", () => {
  test("stands alone: the cookie beside it is ignored", async () => {
    await using world = await openEmbeddedWorld();
    const { token } = await world.signIn(email);
    const { token: other } = await world.signIn("other@example.com");
    const headers = { Cookie: `session_id=${token}` };
    const read = (bearer: string) => world.request("/auth/me", { headers, token: bearer });
    expect(await (await read(other)).json()).toMatchObject({ email: "other@example.com" });
    expect((await read(junk(1))).status).toBe(401);
  });

  test("that is ended leaves the session of the cookie beside it alive", async () => {
    await using world = await openEmbeddedWorld();
    const { token } = await world.signIn(email);
    const { token: other } = await world.signIn(email);
    const headers = { Cookie: `session_id=${token}` };
    await world.request("/auth/logout", { method: "POST", headers, token: other });
    expect(await whoIs(world, `session_id=${token}`)).toBe(email);
    expect(await whoIs(world, `session_id=${other}`)).toBe(401);
  });

  test.each(["Basic dXNlcjpwYXNz", "Negotiate YII=", "Digest username=a", "Bearer", "Bearer  "])(
    "is not what %j is: a write with the cookie must come from our page",
    async (authorization) => {
      await using world = await openEmbeddedWorld();
      const { token } = await world.signIn(email);
      const write = (headers: Record<string, string>) =>
        world.request("/auth/logout", {
          method: "POST",
          headers: { Cookie: `session_id=${token}`, Authorization: authorization, ...headers },
        });
      const evil = { Host: "auth.example.com", Origin: "https://evil.example" };
      for (const headers of [evil, { "Sec-Fetch-Site": "cross-site" }, {}]) {
        expect(await problemOf(await write(headers))).toMatchObject({ code: "cross_origin" });
      }
      expect(await whoIs(world, `session_id=${token}`)).toBe(email);
      expect((await write(fromOurPage)).status).toBe(204);
    },
  );
});

describe("the cookies of the pages", () => {
  test("are named __Host- in production too, and no neighbour's stands in their way", async () => {
    await using world = await openEmbeddedWorld({ secureCookies: true });
    const client = openPageClient(world);
    await client.post("/sign-in", { email });
    expect([...client.cookies.keys()]).toEqual(["__Host-page_code"]);
    const kept = client.cookies.get("__Host-page_code") ?? "";
    const plain = openPageClient(world.restart({ secureCookies: false }));
    plain.cookies.set("page_code", `e30.e30; page_code=${kept}; page_code=`);
    expect(await (await plain.get("/sign-in/code")).text()).toContain(email);
    await client.post("/sign-in/code", { code: world.publisher.code });
    expect([...client.cookies.keys()]).toEqual(["__Host-session_id", "__Host-known_device"]);
  });

  test("do not sign anybody out: a neighbour's is passed over on every page", async () => {
    await using world = await openEmbeddedWorld();
    const client = openPageClient(world);
    await client.signIn(email);
    const token = client.cookies.get("session_id") ?? "";
    client.cookies.set("session_id", `planted; session_id=${token}; session_id=${junk(2)}`);
    const page = await client.get("/account");
    expect([page.status, page.headers.getSetCookie()]).toEqual([200, []]);
  });

  test("live as long as the code: an hour where AUTH_CODE_LIFETIME is one", async () => {
    await using plain = await openEmbeddedWorld();
    const policy = { ...codePolicyDefault, lifetimeMs: 60 * minute };
    const world = plain.restart({ codes: { ...plain.stores.codes, policy } });
    const client = openPageClient(world);
    const asked = await client.post("/sign-in", { email });
    expect(asked.headers.getSetCookie().join()).toContain(`Max-Age=${65 * 60};`);
    await world.clock.advance(59 * minute);
    expect(await (await client.get("/sign-in/code")).text()).toContain(email);
    await world.clock.advance(6 * minute);
    expect(await (await client.get("/sign-in/code")).text()).toContain("Start again");
  });

  test("live until another code can be requested", async () => {
    await using world = await openEmbeddedWorld();
    const client = openPageClient(world);
    for (let codes = 0; codes < 5; codes += 1) {
      await client.post("/sign-in", { email });
      await world.clock.advance(minute);
    }
    const refused = await client.post("/sign-in", { email });
    expect(refused.headers.getSetCookie().join()).toContain(`Max-Age=${(55 + 5) * 60};`);
    await world.clock.advance(50 * minute);
    expect(await (await client.get("/sign-in/code")).text()).toContain(email);
  });
});
