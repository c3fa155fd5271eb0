import { describe, expect, test } from "bun:test";
import type { UserStore } from "../../src/auth/users/user-store.ts";
import { openPageClient } from "../support/page-client.ts";
import type { SignInWorld } from "../support/sign-in-world.ts";
import { signInEngines } from "../support/sign-in-world.ts";

const minute = 60_000;
const email = "test@example.com";

const requestCode = (world: SignInWorld) => world.post("/auth/request-code", { email });
const verifyCode = (world: SignInWorld, code: string, headers = {}) =>
  world.post("/auth/verify-code", { email, code }, headers);

/** The live sessions of the address's user. */
async function sessionsOf({ stores }: SignInWorld) {
  const user = await stores.users.findByEmail(email);
  return stores.sessions.list(user?.id ?? "");
}

describe.each(signInEngines())("a right code that is entered again on %s", (_, open) => {
  test("locks nobody and costs nothing, however often, and is refused like a wrong one", async () => {
    await using world = await open();
    await requestCode(world);
    const { code } = world.publisher;
    expect((await verifyCode(world, code)).status).toBe(200);
    const wrong = await verifyCode(world, code === "999999" ? "999998" : "999999");
    const refusals = new Set([await refusalOf(wrong)]);
    for (let again = 0; again < 65; again += 1) {
      refusals.add(await refusalOf(await verifyCode(world, code)));
    }
    expect(refusals.size).toBe(1);
    await world.clock.advance(minute);
    await requestCode(world);
    expect((await verifyCode(world, world.publisher.code)).status).toBe(200);
    expect(await sessionsOf(world)).toHaveLength(2);
  });

  test("by the session that it opened gets the same answer, and no second session", async () => {
    await using world = await open();
    await requestCode(world);
    const { code } = world.publisher;
    const first = (await (await verifyCode(world, code)).json()) as { token: string };
    const again = await verifyCode(world, code, { Authorization: `Bearer ${first.token}` });
    expect([again.status, await again.json()]).toEqual([200, first]);
    expect(await sessionsOf(world)).toHaveLength(1);
  });

  test("by somebody else's session is refused", async () => {
    await using world = await open();
    const other = await world.signIn("other@example.com");
    await requestCode(world);
    const { code } = world.publisher;
    await verifyCode(world, code);
    const again = await verifyCode(world, code, { Authorization: `Bearer ${other.token}` });
    expect(again.status).toBe(401);
  });

  test("by a form that is sent five times at once, to two replicas, is one sign-in", async () => {
    await using world = await open();
    const replica = world.restart({});
    const client = openPageClient(world);
    await client.post("/sign-in", { email });
    const cookies = new Map(client.cookies);
    const clients = Array.from({ length: 5 }, (_one, index) => {
      const one = openPageClient(index % 2 === 0 ? world : replica);
      for (const [name, value] of cookies) one.cookies.set(name, value);
      return one;
    });
    const { code } = world.publisher;
    const answers = await Promise.all(clients.map((one) => one.post("/sign-in/code", { code })));
    expect(answers.map(({ headers }) => headers.get("Location"))).toEqual(
      Array.from({ length: 5 }, () => "/account"),
    );
    expect(new Set(clients.map((one) => one.cookies.get("session_id"))).size).toBe(1);
    expect(await sessionsOf(world)).toHaveLength(1);
    for (const one of clients) expect((await one.get("/account")).status).toBe(200);
    const types = [...world.publisher.events, ...replica.publisher.events].map(
      (one) => one.eventType,
    );
    expect(types.filter((type) => type !== "verification_code")).toEqual(["welcome"]);
    await client.post("/sign-out");
  });

  test("by a form whose second copy creates the account is no sign-in to tell about", async () => {
    await using world = await open();
    const [entered, created] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const signIn: UserStore["signIn"] = async (request) => {
      entered.resolve();
      await created.promise;
      return world.stores.users.signIn(request);
    };
    const slow = world.restart({ users: { ...world.stores.users, signIn } });
    const [client, other] = [openPageClient(slow), openPageClient(world)];
    await client.post("/sign-in", { email });
    for (const [name, value] of client.cookies) other.cookies.set(name, value);
    const { code } = slow.publisher;
    const first = client.post("/sign-in/code", { code });
    await entered.promise;
    await other.post("/sign-in/code", { code });
    created.resolve();
    expect((await first).headers.get("Location")).toBe("/account");
    const events = [...slow.publisher.events, ...world.publisher.events];
    const types = events.map(({ eventType }) => eventType);
    expect(types.toSorted()).toEqual(["verification_code", "welcome"]);
  });

  test("by a form after its session was ended opens none", async () => {
    await using world = await open();
    const client = openPageClient(world);
    await client.post("/sign-in", { email });
    const before = new Map(client.cookies);
    const { code } = world.publisher;
    await client.post("/sign-in/code", { code });
    await client.post("/sign-out");
    client.cookies.clear();
    for (const [name, value] of before) client.cookies.set(name, value);
    await client.post("/sign-in/code", { code });
    expect((await client.get("/account")).status).toBe(303);
    expect(await sessionsOf(world)).toEqual([]);
  });

  test("by a form that was answered leads to the account", async () => {
    await using world = await open();
    const client = openPageClient(world);
    await client.post("/sign-in", { email });
    const { code } = world.publisher;
    await client.post("/sign-in/code", { code });
    const again = await client.post("/sign-in/code", { code });
    const next = await client.get(again.headers.get("Location") ?? "");
    expect([next.status, next.headers.get("Location")]).toEqual([303, "/account"]);
    expect(await sessionsOf(world)).toHaveLength(1);
  });

  test("by a form of another browser is refused", async () => {
    await using world = await open();
    const [client, other] = [openPageClient(world), openPageClient(world)];
    await client.post("/sign-in", { email });
    await other.post("/sign-in", { email });
    const { code } = world.publisher;
    await client.post("/sign-in/code", { code });
    const answer = await other.post("/sign-in/code", { code });
    expect(await other.follow(answer)).toContain("That code is wrong");
    expect(other.cookies.has("session_id")).toBe(false);
  });

  test("changes an address once, and is answered as the first time", async () => {
    await using world = await open();
    const { token } = await world.signIn(email);
    const newEmail = "new@example.org";
    const post = { method: "POST", token } as const;
    await world.request("/users/me/email", { ...post, body: { email: newEmail } });
    const body = { email: newEmail, code: world.publisher.code };
    const submit = () => world.request("/users/me/email/verify", { ...post, body });
    const answers = await Promise.all([submit(), submit(), submit()]);
    answers.push(await submit());
    for (const answer of answers) {
      expect([answer.status, await answer.json()]).toMatchObject([200, { email: newEmail }]);
    }
    const notices = world.publisher.events.filter(({ eventType }) => eventType === "email_change");
    expect(new Set(notices.map((notice) => JSON.stringify(notice))).size).toBe(1);
  });
});

async function refusalOf(answer: Response): Promise<string> {
  const { requestId: _, ...problem } = (await answer.json()) as Record<string, unknown>;
  return JSON.stringify([answer.status, problem]);
}
