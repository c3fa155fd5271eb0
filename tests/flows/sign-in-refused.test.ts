import { describe, expect, test } from "bun:test";
import type { SignInWorld } from "../support/sign-in-world.ts";
import { problemOf, signInEngines } from "../support/sign-in-world.ts";

const minute = 60_000;
const email = "test@example.com";
const requestCode = (world: SignInWorld) => world.post("/auth/request-code", { email });
const verifyCode = (world: SignInWorld, code: string, more: object = {}) =>
  world.post("/auth/verify-code", { email, code, ...more });

const pick = (problem: Record<string, unknown>, ...names: readonly string[]) =>
  Object.fromEntries(Object.entries(problem).filter(([name]) => names.includes(name)));

/** Some six digits that are not the code. */
const otherThan = (code: string) => (code === "999999" ? "999998" : "999999");

describe.each(signInEngines())("refusals on %s", (_, open) => {
  test("the sixth code in an hour is refused, and the answer says until when", async () => {
    await using world = await open();
    for (let code = 0; code < 5; code += 1) {
      expect((await requestCode(world)).status).toBe(200);
      await world.clock.advance(2 * minute);
    }
    const response = await requestCode(world);
    expect(response.headers.get("Retry-After")).toBe("3000");
    expect(response.headers.get("RateLimit")).toBe('"codes-per-email";r=0;t=3000');
    expect(response.headers.get("RateLimit-Policy")).toBe('"codes-per-email";q=5;w=3600');
    expect(await problemOf(response)).toMatchObject({
      status: 429,
      code: "too_many_codes",
      scope: "codes-per-email",
      retryAfterSeconds: 3000,
    });
    expect(world.publisher.events).toHaveLength(5);
    await world.clock.advance(50 * minute);
    expect((await requestCode(world)).status).toBe(200);
  });

  test("the same message is repeated five times, then refused until its minute is over", async () => {
    await using world = await open();
    for (let repeat = 0; repeat < 6; repeat += 1) {
      expect((await requestCode(world)).status).toBe(200);
    }
    const response = await requestCode(world);
    expect(await problemOf(response)).toMatchObject({
      status: 429,
      scope: "repeats-per-code",
      retryAfterSeconds: 60,
    });
    expect(new Set(world.publisher.events.map(({ messageId }) => messageId)).size).toBe(1);
  });

  test("five wrong codes lock the address for the right one too, with an honest 429", async () => {
    await using world = await open();
    await requestCode(world);
    const { code } = world.publisher;
    for (let wrong = 0; wrong < 5; wrong += 1) {
      const response = await verifyCode(world, otherThan(code));
      const problem = await problemOf(response);
      expect(problem).toMatchObject({ status: 401, code: "code_invalid" });
      const told = wrong < 4 ? {} : { scope: "attempts-per-email", retryAfterSeconds: 900 };
      expect(pick(problem, "scope", "retryAfterSeconds")).toEqual(told);
    }
    const locked = await verifyCode(world, code);
    expect(locked.headers.get("Retry-After")).toBe("900");
    expect(locked.headers.get("RateLimit")).toBe('"attempts-per-email";r=0;t=900');
    expect(locked.headers.get("RateLimit-Policy")).toBe('"attempts-per-email";q=5;w=900');
    expect(await problemOf(locked)).toMatchObject({
      status: 429,
      code: "too_many_attempts",
      scope: "attempts-per-email",
      retryAfterSeconds: 900,
    });
    await world.clock.advance(15 * minute);
    await requestCode(world);
    expect((await verifyCode(world, world.publisher.code)).status).toBe(200);
  });

  test("an address nobody knows is answered as one with a code", async () => {
    await using world = await open();
    await requestCode(world);
    const wrong = otherThan(world.publisher.code);
    const known = await problemOf(await verifyCode(world, wrong));
    const unknown = await problemOf(await verifyCode(world, wrong, { email: "nobody@x.org" }));
    expect({ ...unknown, requestId: "" }).toEqual({ ...known, requestId: "" });
  });

  test("a taken username is a 409 that names the field and leaves the code good", async () => {
    await using world = await open();
    await world.stores.users.signIn({ email: "ana@example.com", username: "Ana" });
    await requestCode(world);
    const { code } = world.publisher;
    const taken = await verifyCode(world, code, { username: "ana" });
    expect(await problemOf(taken)).toMatchObject({
      status: 409,
      code: "username_taken",
      errors: [{ field: "username", message: "is taken" }],
    });
    const free = await verifyCode(world, code, { username: "tess" });
    expect(free.status).toBe(200);
    expect(await free.json()).toMatchObject({ user: { email, username: "tess" } });
  });

  test("that a username is taken is not revealed without the code", async () => {
    await using world = await open();
    await world.stores.users.signIn({ email: "ana@example.com", username: "Ana" });
    const response = await verifyCode(world, "999999", { username: "ana" });
    expect(await problemOf(response)).toMatchObject({ status: 401, code: "code_invalid" });
  });

  test("one's own username is no conflict", async () => {
    await using world = await open();
    await world.stores.users.signIn({ email, username: "Tess" });
    await requestCode(world);
    expect((await verifyCode(world, world.publisher.code, { username: "tess" })).status).toBe(200);
  });

  test("an address that the mail server cannot take is a 422 that names the field and costs nothing", async () => {
    await using world = await open();
    world.publisher.unsupported = true;
    for (let asked = 0; asked < 10; asked += 1) {
      expect(await problemOf(await requestCode(world))).toMatchObject({
        status: 422,
        code: "address_unsupported",
        errors: [{ field: "email", message: "must have only ASCII characters before the @" }],
      });
    }
    world.publisher.unsupported = false;
    expect((await requestCode(world)).status).toBe(200);
  });

  test("a mail nobody takes is a 503 that costs nothing, and the retry is the same event", async () => {
    await using world = await open();
    const { publisher } = world;
    publisher.unavailable = true;
    for (let failure = 0; failure < 10; failure += 1) {
      const response = await requestCode(world);
      expect(response.headers.get("Retry-After")).toBe("7");
      expect(await problemOf(response)).toMatchObject({ status: 503, code: "mail_unavailable" });
    }
    publisher.unavailable = false;
    expect((await requestCode(world)).status).toBe(200);
    expect(new Set(publisher.events.map(({ messageId }) => messageId)).size).toBe(1);
    for (let code = 1; code < 5; code += 1) {
      await world.clock.advance(minute);
      expect((await requestCode(world)).status).toBe(200);
    }
    await world.clock.advance(minute);
    expect((await requestCode(world)).status).toBe(429);
  });

  test("asks that nobody takes cost nothing, also when each one is given up before the next", async () => {
    await using world = await open();
    const { publisher } = world;
    publisher.unavailable = true;
    for (let failure = 0; failure < 10; failure += 1) {
      expect((await requestCode(world)).status).toBe(503);
      publisher.fates.set(publisher.events.at(-1)?.messageId ?? "", "failed");
    }
    publisher.unavailable = false;
    for (let code = 0; code < 5; code += 1) {
      expect((await requestCode(world)).status).toBe(200);
      await world.clock.advance(minute);
    }
    expect((await requestCode(world)).status).toBe(429);
  });

  test("a message that failed is not repeated: a new code is sent", async () => {
    await using world = await open();
    const { publisher } = world;
    await requestCode(world);
    const failed = publisher.events[0]?.messageId ?? "";
    publisher.fates.set(failed, "failed");
    await requestCode(world);
    await requestCode(world);
    const [, second, third] = publisher.events.map(({ messageId }) => messageId);
    expect(second).not.toBe(failed);
    expect(third).toBe(second ?? "");
  });

  const long = "x".repeat(400);
  test.each([
    ["/auth/request-code", {}, "email", "is required"],
    ["/auth/request-code", { email: 7 }, "email", "must be text"],
    ["/auth/request-code", { email: "not an address" }, "email", "must be an e-mail address"],
    ["/auth/request-code", { email: "a@b\r\nBcc: c@d.e" }, "email", "must be an e-mail address"],
    ["/auth/request-code", { email: `${long}@x.org` }, "email", "must be at most 320 characters"],
    ["/auth/request-code", [], "", "must be a JSON object"],
    ["/auth/verify-code", { code: "123456" }, "email", "is required"],
    ["/auth/verify-code", { email }, "code", "is required"],
    ["/auth/verify-code", { email, code: 123456 }, "code", "must be text"],
    ["/auth/verify-code", { email, code: "12345" }, "code", "must be 6 digits"],
    ["/auth/verify-code", { email, code: long }, "code", "must be at most 32 characters"],
    [
      "/auth/verify-code",
      { email, code: "123456", username: "a b" },
      "username",
      "must be 1 to 32",
    ],
    ["/auth/verify-code", { email, code: "123456", username: long }, "username", "must be 1 to 32"],
    ["/auth/verify-code", { email, code: "123456", username: null }, "username", "must be text"],
  ])("%s with %j is a 422 that names the field", async (path, body, field, words) => {
    await using world = await open();
    const problem = await problemOf(await world.post(path, body));
    expect(problem).toMatchObject({ status: 422, code: "validation_failed", errors: [{ field }] });
    expect(JSON.stringify(problem["errors"])).toContain(words);
    expect(world.publisher.events).toHaveLength(0);
  });
});
