import { describe, expect, test } from "bun:test";
import type { UserStore } from "../../src/auth/users/user-store.ts";
import type { SignInWorld, WorldSettings } from "../support/sign-in-world.ts";
import { problemOf, signInEngines } from "../support/sign-in-world.ts";

const minute = 60_000;
const day = 24 * 60 * minute;
const email = "test@example.com";
const firefox = "Mozilla/5.0 (Windows NT 10.0; rv:140.0) Gecko/20100101 Firefox/140.0";

interface ListedSession {
  readonly id: string;
  readonly device: string;
  readonly current: boolean;
}

async function listSessions(world: SignInWorld, token: string): Promise<ListedSession[]> {
  const response = await world.request("/auth/sessions", { token });
  expect(response.status).toBe(200);
  return ((await response.json()) as { sessions: ListedSession[] }).sessions;
}

async function isLive(world: SignInWorld, token: string): Promise<boolean> {
  return (await world.request("/auth/session", { token })).status === 200;
}

/** One session a device, a minute apart. */
async function signInFrom(world: SignInWorld, ...devices: string[]): Promise<string[]> {
  const tokens: string[] = [];
  for (const device of devices) {
    const { token } = await world.signIn(email, { headers: { "User-Agent": device } });
    tokens.push(token);
    await world.clock.advance(minute);
  }
  return tokens;
}

describe.each(signInEngines())("sessions on %s", (_, open) => {
  test("are listed with device and times, the current one marked", async () => {
    await using world = await open();
    const [, phone = ""] = await signInFrom(world, firefox, "curl/8");
    expect(await listSessions(world, phone)).toEqual([
      {
        id: expect.any(String) as unknown as string,
        device: "curl",
        created_at: "2026-01-01T00:01:00.000Z",
        last_used_at: "2026-01-01T00:02:00.000Z",
        current: true,
      } as ListedSession,
      {
        id: expect.any(String) as unknown as string,
        device: "Firefox on Windows",
        created_at: "2026-01-01T00:00:00.000Z",
        last_used_at: "2026-01-01T00:00:00.000Z",
        current: false,
      } as ListedSession,
    ]);
  });

  test("show no token, nor anything that a token hashes to", async () => {
    await using world = await open();
    const [token = ""] = await signInFrom(world, firefox);
    const [session] = await listSessions(world, token);
    const hash = new Bun.CryptoHasher("sha256").update(token).digest("hex");
    expect(session?.id).toHaveLength(22);
    expect([token, hash].some((secret) => secret.includes(session?.id ?? ""))).toBe(false);
    expect(await isLive(world, session?.id ?? "")).toBe(false);
  });

  test("one that is ended from another device is dead on its next request, everywhere", async () => {
    await using world = await open();
    const [lost = "", mine = ""] = await signInFrom(world, "lost", "mine");
    const elsewhere = world.restart({});
    expect(await isLive(elsewhere, lost)).toBe(true);
    const { id } = (await listSessions(world, mine)).find(({ current }) => !current) ?? { id: "" };
    const ended = await world.request(`/auth/sessions/${id}`, { method: "DELETE", token: mine });
    expect(ended.status).toBe(204);
    expect(ended.headers.get("Set-Cookie")).toBeNull();
    expect(await isLive(elsewhere, lost)).toBe(false);
    expect(await isLive(elsewhere, mine)).toBe(true);
    const again = await world.request(`/auth/sessions/${id}`, { method: "DELETE", token: mine });
    expect(await problemOf(again)).toMatchObject({ status: 404, code: "session_not_found" });
  });

  test("the current one is ended as well as any, with its cookie", async () => {
    await using world = await open();
    const [token = ""] = await signInFrom(world, "mine");
    const [session] = await listSessions(world, token);
    const path = `/auth/sessions/${session?.id}`;
    const ended = await world.request(path, { method: "DELETE", token });
    expect(ended.headers.get("Set-Cookie")).toContain("session_id=; Max-Age=0");
    expect(await isLive(world, token)).toBe(false);
  });

  test("nobody ends somebody else's", async () => {
    await using world = await open();
    const [mine = ""] = await signInFrom(world, "mine");
    const { token } = await world.signIn("other@example.com");
    const [session] = await listSessions(world, mine);
    const path = `/auth/sessions/${session?.id}`;
    expect((await world.request(path, { method: "DELETE", token })).status).toBe(404);
    expect(await isLive(world, mine)).toBe(true);
  });

  test("all others are ended in one call, and counted", async () => {
    await using world = await open();
    const tokens = await signInFrom(world, "a", "b", "c");
    const token = tokens[1] ?? "";
    const post = { method: "POST", token };
    const answer = await world.request("/auth/sessions/revoke-others", post);
    expect(await answer.json()).toEqual({ revoked: 2 });
    const live = await Promise.all(tokens.map((each) => isLive(world, each)));
    expect(live).toEqual([false, true, false]);
  });

  test("signing out everywhere ends all, also the one it is asked with", async () => {
    await using world = await open();
    const tokens = await signInFrom(world, "a", "b");
    const post = { method: "POST", token: tokens[0] ?? "" };
    const answer = await world.request("/auth/logout", { ...post, body: { everywhere: true } });
    expect(answer.status).toBe(204);
    const live = await Promise.all(tokens.map((each) => isLive(world, each)));
    expect(live).toEqual([false, false]);
  });

  test("signing out ends this one alone", async () => {
    await using world = await open();
    const tokens = await signInFrom(world, "a", "b");
    const post = { method: "POST", token: tokens[0] ?? "" };
    for (const body of [undefined, {}]) await world.request("/auth/logout", { ...post, body });
    expect(await isLive(world, tokens[0] ?? "")).toBe(false);
    expect(await isLive(world, tokens[1] ?? "")).toBe(true);
  });

  test("slide by seven days with each use, and end after thirty", async () => {
    await using world = await open();
    const [token = ""] = await signInFrom(world, "mine");
    const ends: string[] = [];
    for (let days = 6; days <= 30; days += 6) {
      await world.clock.advance(6 * day - (days === 30 ? 2 * minute : 0));
      const answer = await world.request("/auth/session", { token });
      const { session } = (await answer.json()) as { session: { expires_at: string } };
      ends.push(session.expires_at.slice(0, 10));
    }
    expect(ends).toEqual(["2026-01-14", "2026-01-20", "2026-01-26", "2026-01-31", "2026-01-31"]);
    await world.clock.advance(minute);
    expect(await isLive(world, token)).toBe(false);
  });

  test("are checked without asking for the user each time", async () => {
    await using world = await open();
    const { token, user } = await world.signIn(email);
    let reads = 0;
    const users: UserStore = {
      ...world.stores.users,
      findById: (id) => {
        reads += 1;
        return world.stores.users.findById(id);
      },
    };
    const counting = world.restart({ users });
    const check = async () => {
      const answer = await counting.request("/auth/session", { token });
      return ((await answer.json()) as { user: object }).user;
    };
    for (let request = 0; request < 5; request += 1) expect(await check()).toEqual(user);
    expect(reads).toBe(1);
  });

  test("show each change of the user in the next check, in every process", async () => {
    await using world = await open();
    const { token } = await world.signIn(email);
    const elsewhere = world.restart({});
    const check = async () => {
      const answer = await elsewhere.request("/auth/session", { token });
      return answer.status === 200
        ? ((await answer.json()) as { user: Record<string, unknown> }).user
        : answer.status;
    };
    const call = (path: string, body: object, method = "POST") =>
      world.request(path, { method, token, body });
    await check();
    await call("/users/me", { username: "tess" }, "PATCH");
    expect(await check()).toMatchObject({ username: "tess" });
    await world.clock.advance(minute);
    await check();
    await call("/users/me/email", { email: "new@example.org" });
    await call("/users/me/email/verify", { email: "new@example.org", code: world.publisher.code });
    expect(await check()).toMatchObject({ email: "new@example.org", username: "tess" });
    await world.clock.advance(minute);
    await check();
    await world.signIn("new@example.org");
    expect(await check()).toMatchObject({ last_sign_in_at: "2026-01-01T00:02:00.000Z" });
    await world.clock.advance(minute);
    await check();
    await call("/users/me/delete-code", {});
    await call("/users/me/delete", { code: world.publisher.code });
    expect(await check()).toBe(401);
  });

  test.each([
    ["GET", "/auth/session"],
    ["GET", "/auth/sessions"],
    ["DELETE", "/auth/sessions/gXvV0sYQkLZ8w2nTfJm3Eg"],
    ["POST", "/auth/sessions/revoke-others"],
    ["GET", "/users/me"],
    ["PATCH", "/users/me"],
    ["POST", "/users/me/email"],
    ["POST", "/users/me/email/verify"],
    ["POST", "/users/me/delete-code"],
    ["POST", "/users/me/delete"],
  ])("%s %s without one is a 401 that no cache keeps", async (method, path) => {
    await using world = await open({} satisfies WorldSettings);
    const response = await world.request(path, { method });
    expect(response.headers.get("WWW-Authenticate")).toBe("Bearer");
    expect(response.headers.get("Cache-Control")).toBe("no-store");
    expect(response.headers.get("Vary")).toBe("Authorization, Cookie");
    expect(await problemOf(response)).toMatchObject({ status: 401, code: "unauthenticated" });
  });
});
