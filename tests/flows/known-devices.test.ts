import { describe, expect, test } from "bun:test";
import { createAuthKeys } from "../../src/auth/auth-deps.ts";
import { limitPolicyDefault } from "../../support/settings.ts";
import { openPageClient } from "../support/page-client.ts";
import type { SignInWorld } from "../support/sign-in-world.ts";
import { problemOf, signInEngines, testSecret } from "../support/sign-in-world.ts";

const minute = 60_000;
const hour = 60 * minute;
const email = "test@example.com";

/** Six digits that were mailed to nobody. */
function wrongCode({ publisher }: SignInWorld): string {
  const wasMailed = publisher.events.some(({ data }) => "code" in data && data.code === "999999");
  return wasMailed ? "999998" : "999999";
}

/** A browser that calls the API: it keeps its cookies. */
class Browser {
  readonly world: SignInWorld;
  readonly client: string;
  readonly cookies = new Map<string, string>();

  constructor(world: SignInWorld, client = "192.0.2.1") {
    this.world = world;
    this.client = client;
  }

  async send(path: string, body?: object, method = "POST"): Promise<Response> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const headers = { Cookie: cookie, Host: "localhost", "Sec-Fetch-Site": "same-origin" };
    const request = { method, headers, client: this.client };
    const answer = await this.world.request(
      path,
      body === undefined ? request : { ...request, body },
    );
    for (const set of answer.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(set) ?? [];
      if (value === "") this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
    return answer;
  }

  async signIn(address = email): Promise<void> {
    expect((await this.send("/auth/request-code", { email: address })).status).toBe(200);
    const { code } = this.world.publisher;
    expect((await this.enter(code, address)).status).toBe(200);
  }

  enter(code: string, address = email): Promise<Response> {
    return this.send("/auth/verify-code", { email: address, code });
  }

  /** Without the session, as after its end. */
  endSession(): void {
    this.cookies.delete("session_id");
  }

  async isKnown(address = email): Promise<boolean> {
    const stranger = new Browser(this.world, "203.0.113.99");
    for (let wrong = 0; wrong < 5; wrong += 1) {
      await stranger.enter(wrongCode(this.world), address); // now the address is locked
    }
    const problem = await problemOf(await this.enter(wrongCode(this.world), address));
    return problem["status"] === 401;
  }
}

async function lock(world: SignInWorld, client = "198.51.100.7"): Promise<void> {
  const stranger = new Browser(world, client);
  for (let wrong = 0; wrong < 5; wrong += 1) await stranger.enter(wrongCode(world));
}

describe.each(signInEngines())("a known device on %s", (_, open) => {
  test("signs in however long strangers lock the address and exhaust the shared budgets", async () => {
    const quota = { quota: 8, windowMs: hour };
    const limitPolicy = {
      ...limitPolicyDefault,
      codesPerClient: quota,
      codesGlobal: quota,
      attemptsPerClient: quota,
      attemptsGlobal: quota,
    };
    await using world = await open({ limitPolicy });
    const { clock } = world;
    const owner = new Browser(world);
    await owner.signIn();
    let refused = 0;
    for (let quarter = 0; quarter < 24 * 4; quarter += 1) {
      await clock.advance(15 * minute);
      for (let host = 0; host < 2; host += 1) {
        const stranger = new Browser(world, host === 0 ? owner.client : `198.51.100.${host}`);
        const asked = await stranger.send("/auth/request-code", { email });
        for (let wrong = 0; wrong < 5; wrong += 1) await stranger.enter(wrongCode(world));
        const entered = await stranger.enter(world.publisher.code); // even the right one
        refused += asked.status === 429 || entered.status === 429 ? 1 : 0;
      }
      owner.endSession();
      await owner.signIn();
      expect((await owner.send("/auth/session", undefined, "GET")).status).toBe(200);
    }
    expect(refused).toBe(24 * 4 * 2);
  });

  test("is locked by its own wrong codes alone, and then the address is not", async () => {
    await using world = await open();
    const owner = new Browser(world);
    await owner.signIn();
    await world.clock.advance(hour);
    await owner.send("/auth/request-code", { email });
    for (let wrong = 1; wrong < 5; wrong += 1) {
      expect(await problemOf(await owner.enter(wrongCode(world)))).not.toHaveProperty("scope");
    }
    const fifth = await problemOf(await owner.enter(wrongCode(world)));
    expect(fifth).toMatchObject({
      status: 401,
      scope: "attempts-per-device",
      retryAfterSeconds: 900,
    });
    const locked = await owner.enter(world.publisher.code);
    expect(await problemOf(locked)).toMatchObject({
      status: 429,
      code: "too_many_attempts",
      scope: "attempts-per-device",
    });
    expect(locked.headers.get("RateLimit")).toBe('"attempts-per-device";r=0;t=900');
    const elsewhere = new Browser(world, "198.51.100.7");
    expect((await elsewhere.enter(world.publisher.code)).status).toBe(200);
  });

  test("has its own five codes an hour, and then says so", async () => {
    await using world = await open();
    const owner = new Browser(world);
    await owner.signIn();
    for (let code = 0; code < 5; code += 1) {
      await world.clock.advance(minute);
      expect((await owner.send("/auth/request-code", { email })).status).toBe(200);
    }
    await world.clock.advance(minute);
    const sixth = await owner.send("/auth/request-code", { email });
    expect(await problemOf(sixth)).toMatchObject({
      status: 429,
      code: "too_many_codes",
      scope: "codes-per-device",
    });
    expect((await new Browser(world).send("/auth/request-code", { email })).status).toBe(200);
  });

  test("all of them together request no more codes than all clients may", async () => {
    const codesGlobal = { quota: 3, windowMs: hour };
    await using world = await open({ limitPolicy: { ...limitPolicyDefault, codesGlobal } });
    const owner = new Browser(world);
    await owner.signIn();
    const statuses: number[] = [];
    for (let code = 0; code < 7; code += 1) {
      await world.clock.advance(minute);
      const asked = await owner.send("/auth/request-code", { email });
      statuses.push(asked.status);
      if (asked.status === 429)
        expect(await problemOf(asked)).toMatchObject({ scope: "codes-global" });
    }
    expect(statuses).toEqual([200, 200, 200, 200, 200, 429, 429]); // three as known, two as anybody
  });

  test("what its own budget refuses costs the others nothing", async () => {
    const codesGlobal = { quota: 20, windowMs: hour };
    await using world = await open({ limitPolicy: { ...limitPolicyDefault, codesGlobal } });
    const [owner, other] = [new Browser(world), new Browser(world)];
    await owner.signIn();
    await other.signIn("other@example.com");
    for (let code = 0; code < 30; code += 1) {
      await world.clock.advance(minute / 2);
      await owner.send("/auth/request-code", { email });
    }
    for (let code = 0; code < 5; code += 1) {
      await world.clock.advance(minute);
      const asked = await other.send("/auth/request-code", { email: "other@example.com" });
      expect(asked.status).toBe(200);
    }
  });

  test("stays known after its own sign-out, and after the end of its session", async () => {
    await using world = await open();
    const owner = new Browser(world);
    await owner.signIn();
    expect((await owner.send("/auth/logout")).status).toBe(204);
    expect([...owner.cookies.keys()]).toEqual(["known_device"]);
    await world.clock.advance(100 * 24 * hour);
    expect(await owner.isKnown()).toBe(true);
  });

  test.each([
    [
      "its session is ended elsewhere",
      (other: Browser, id: string) => other.send(`/auth/sessions/${id}`, undefined, "DELETE"),
    ],
    ["all others are ended", (other: Browser) => other.send("/auth/sessions/revoke-others")],
    [
      "somebody signs out everywhere",
      (other: Browser) => other.send("/auth/logout", { everywhere: true }),
    ],
  ] as const)("is forgotten when %s", async (_name, end) => {
    await using world = await open();
    const [owner, other] = [new Browser(world), new Browser(world)];
    await owner.signIn();
    const listed = await owner.send("/auth/sessions", undefined, "GET");
    const { sessions } = (await listed.json()) as { sessions: { id: string }[] };
    await world.clock.advance(minute);
    await other.signIn();
    expect((await end(other, sessions[0]?.id ?? "")).status).toBeLessThan(300);
    expect(await owner.isKnown()).toBe(false);
  });

  test("that is signed out is forgotten when all others are ended", async () => {
    await using world = await open();
    const [owner, other] = [new Browser(world), new Browser(world)];
    await owner.signIn();
    await owner.send("/auth/logout");
    await world.clock.advance(minute);
    await other.signIn();
    await other.send("/auth/sessions/revoke-others");
    expect(await owner.isKnown()).toBe(false);
  });

  test("keeps its own knowledge when it ends all others, and loses it with everything", async () => {
    await using world = await open();
    const owner = new Browser(world);
    await owner.signIn();
    await owner.send("/auth/sessions/revoke-others");
    expect(await owner.isKnown()).toBe(true);
    await owner.send("/auth/logout", { everywhere: true });
    expect([...owner.cookies.keys()]).toEqual([]);
  });

  test("is known at the new address after a change, and nobody at the old one", async () => {
    await using world = await open();
    const [owner, other] = [new Browser(world), new Browser(world)];
    await other.signIn();
    await world.clock.advance(minute);
    await owner.signIn();
    await owner.send("/users/me/email", { email: "new@example.org" });
    const before = owner.cookies.get("known_device") ?? "";
    const body = { email: "new@example.org", code: world.publisher.code };
    expect((await owner.send("/users/me/email/verify", body)).status).toBe(200);
    expect(await owner.isKnown("new@example.org")).toBe(true);
    owner.cookies.set("known_device", before);
    expect(await owner.isKnown(email)).toBe(false);
    expect(await other.isKnown(email)).toBe(false);
  });

  test("is forgotten with the account", async () => {
    await using world = await open();
    const owner = new Browser(world);
    await owner.signIn();
    const before = owner.cookies.get("known_device") ?? "";
    await owner.send("/users/me/delete-code");
    const deleted = await owner.send("/users/me/delete", { code: world.publisher.code });
    expect(deleted.status).toBe(204);
    expect([...owner.cookies.keys()]).toEqual([]);
    owner.cookies.set("known_device", before);
    expect(await owner.isKnown()).toBe(false);
  });

  test("confirms a deletion while strangers keep the address locked", async () => {
    await using world = await open();
    const owner = new Browser(world);
    await owner.signIn();
    await lock(world);
    expect((await owner.send("/users/me/delete-code")).status).toBe(200);
    const body = { code: world.publisher.code };
    expect((await owner.send("/users/me/delete", body)).status).toBe(204);
  });

  test("is known by a cookie that reveals no address and is nobody else's", async () => {
    await using world = await open();
    const [owner, other] = [new Browser(world), new Browser(world)];
    await owner.signIn();
    await other.signIn("other@example.com");
    const cookie = owner.cookies.get("known_device") ?? "";
    const decoded = cookie.split(".").map((part) => Buffer.from(part, "base64url").toString());
    expect(cookie + decoded.join()).not.toMatch(/test|example/);
    for (const spoilt of [
      other.cookies.get("known_device") ?? "",
      cookie.replace(/^./, (one) => (one === "A" ? "B" : "A")),
      cookie.slice(0, -1),
      "~".repeat(4_000),
      "",
    ]) {
      owner.cookies.set("known_device", spoilt);
      expect(await owner.isKnown()).toBe(false);
    }
    owner.cookies.set("known_device", `~junk~${cookie}`);
    expect(await owner.isKnown()).toBe(true);
  });

  test("is known for each of the five people who signed in last on it", async () => {
    await using world = await open();
    const browser = new Browser(world);
    const people = Array.from({ length: 6 }, (_one, index) => `person-${index}@example.com`);
    for (const person of people) await browser.signIn(person);
    const known = await Promise.all(people.map((person) => browser.isKnown(person)));
    expect(known).toEqual([false, true, true, true, true, true]);
  });

  test("has a cookie of this host alone in production", async () => {
    await using world = await open();
    const production = world.restart({ secureCookies: true });
    await production.post("/auth/request-code", { email });
    const { code } = production.publisher;
    const answer = await production.post("/auth/verify-code", { email, code });
    const set = answer.headers.getSetCookie().find((one) => one.includes("known_device"));
    expect(set).toMatch(
      /^__Host-known_device=[^;]+; Max-Age=\d+; Path=\/; HttpOnly; Secure; SameSite=Lax$/,
    );
  });

  test("is known while AUTH_SECRET is changed, and not once its secret is gone", async () => {
    await using world = await open();
    const owner = new Browser(world);
    await owner.signIn();
    const [next, later] = ["n".repeat(32), "l".repeat(32)];
    const rotated = new Browser(world.restart({ keys: createAuthKeys(next, testSecret) }));
    rotated.cookies.set("known_device", owner.cookies.get("known_device") ?? "");
    expect(await rotated.isKnown()).toBe(true);
    await rotated.world.clock.advance(hour);
    await rotated.signIn();
    const again = new Browser(world.restart({ keys: createAuthKeys(later, next) }));
    again.cookies.set("known_device", owner.cookies.get("known_device") ?? "");
    expect(await again.isKnown()).toBe(false);
    again.cookies.set("known_device", rotated.cookies.get("known_device") ?? "");
    expect(await again.isKnown()).toBe(true);
  });

  test("sees the page for a code while the address is locked, and the lock of its own until it is unlocked", async () => {
    await using world = await open();
    const client = openPageClient(world);
    await client.signIn(email);
    await client.post("/sign-out");
    await lock(world);
    await world.clock.advance(minute);
    await client.post("/sign-in", { email });
    const code = wrongCode(world);
    for (let wrong = 0; wrong < 5; wrong += 1) {
      expect(await (await client.get("/sign-in/code")).text()).toContain("Six-digit code");
      await client.post("/sign-in/code", { code });
    }
    const page = async () => (await client.get("/sign-in/code")).text();
    expect(await page()).toContain("for the next 15 minutes");
    await world.stores.codes.unlock(email);
    expect(await page()).toContain("Six-digit code");
    await client.post("/sign-in/code", { code: world.publisher.code });
    expect((await client.get("/account")).status).toBe(200);
  });
});
