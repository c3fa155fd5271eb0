import { describe, expect, test } from "bun:test";
import { eventually } from "../../support/eventually.ts";
import type { SignInWorld } from "../support/sign-in-world.ts";
import { signInEngines } from "../support/sign-in-world.ts";

const email = "ana@example.com";

function ask(world: SignInWorld, language: string | undefined) {
  const headers = language === undefined ? undefined : { "Accept-Language": language };
  return world.post("/auth/request-code", { email }, headers);
}

describe.each(signInEngines())("the language of mails on %s", (_, open) => {
  test.each([
    ["es-MX, en;q=0.5", "es-MX"],
    ["de, es;q=0.8, en;q=0.5", "es"],
    ["en;q=0.2, ru;q=0.9", "ru"],
    ["ru;q=0, en", "en"],
    ["zh-Hans-CN", undefined],
    ["*", undefined],
    ["es\u00e9, ;;q=x, es_MX", undefined],
    [`es-${"x".repeat(40)}`, undefined],
    [undefined, undefined],
  ])("for Accept-Language %s is %s", async (wanted, locale) => {
    await using world = await open();
    expect((await ask(world, wanted)).status).toBe(200);
    expect(world.publisher.events[0]?.data.locale).toBe(locale);
  });

  test("stays that of the first time when the same code is asked for again", async () => {
    await using world = await open();
    await ask(world, "es");
    await ask(world, "ru");
    const [first, second] = world.publisher.events;
    expect(second).toEqual(first);
    expect(second?.data.locale).toBe("es");
  });

  test("is told to the mails that come of a sign-in and of a new address", async () => {
    await using world = await open();
    const headers = { "Accept-Language": "ru" };
    await world.signIn(email, { headers });
    const other = { ...headers, "User-Agent": "curl/8" };
    const { token } = await world.signIn(email, { headers: other });
    const post = { method: "POST", headers, token };
    await world.request("/users/me/email", { ...post, body: { email: "b@example.com" } });
    const body = { email: "b@example.com", code: world.publisher.code };
    await world.request("/users/me/email/verify", { ...post, body });
    const told = () => new Set(world.publisher.events.map(({ eventType }) => eventType));
    await eventually("all are told", () => told().size === 4);
    expect(world.publisher.events.map(({ data }) => data.locale)).not.toContain(undefined);
  });
});
