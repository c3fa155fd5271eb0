import { describe, expect, test } from "bun:test";
import { decodeEmailEvent, encodeEmailEvent } from "../../src/email/event.ts";
import { eventually } from "../../support/eventually.ts";
import { openPageClient } from "../support/page-client.ts";
import type { SignInWorld } from "../support/sign-in-world.ts";
import { signInEngines } from "../support/sign-in-world.ts";

const minute = 60_000;
const email = "test@example.com";
const newEmail = "new@example.org";
const firefox = "Mozilla/5.0 (Windows NT 10.0; rv:140.0) Gecko/20100101 Firefox/140.0";

const noticesOf = ({ publisher }: SignInWorld, type: string) =>
  publisher.events.filter(({ eventType }) => eventType === type);
const codesOf = (world: SignInWorld) => noticesOf(world, "verification_code");

/** Signs in from a device, and waits until a welcome or notice that belongs to it could be there. */
async function signInFrom(world: SignInWorld, device: string): Promise<string> {
  const { token } = await world.signIn(email, { headers: { "User-Agent": device } });
  await world.clock.advance(minute);
  return token;
}

async function changeEmail(world: SignInWorld, token: string): Promise<Response> {
  await world.request("/users/me/email", { method: "POST", token, body: { email: newEmail } });
  const body = { email: newEmail, code: world.publisher.code };
  return world.request("/users/me/email/verify", { method: "POST", token, body });
}

describe.each(signInEngines())("the notice of a sign-in on %s", (_, open) => {
  test("goes out for a device that is not known, once, with its name and the time", async () => {
    await using world = await open();
    await signInFrom(world, "curl/8");
    await signInFrom(world, firefox);
    const notice = await eventually(
      "a notice is sent",
      () => noticesOf(world, "sign_in_notice")[0],
    );
    expect(noticesOf(world, "sign_in_notice")).toHaveLength(1);
    expect(notice).toEqual({
      messageId: `sign-in-notice-${codesOf(world)[1]?.messageId}`,
      eventType: "sign_in_notice",
      timestamp: Date.UTC(2026, 0, 1, 0, 1),
      recipient: email,
      data: { signed_in_at: "2026-01-01T00:01:00.000Z", device: "Firefox on Windows" },
      expiresAt: undefined,
    });
  });

  test("is not silenced by the User-Agent of a device that is known", async () => {
    await using world = await open();
    await signInFrom(world, firefox);
    await signInFrom(world, firefox);
    await eventually("a notice is sent", () => noticesOf(world, "sign_in_notice").length === 1);
  });

  test("does not go out with the first sign-in", async () => {
    await using world = await open();
    await signInFrom(world, firefox);
    await eventually("the welcome is sent", () => noticesOf(world, "welcome").length === 1);
    expect(noticesOf(world, "sign_in_notice")).toEqual([]);
  });

  test("does not go out for a known device, whatever it calls itself, also after a sign-out", async () => {
    await using world = await open();
    const client = openPageClient(world);
    for (let time = 0; time < 3; time += 1) {
      await client.signIn(email);
      await client.post("/sign-out");
      await world.clock.advance(minute);
    }
    await eventually("the welcome is sent", () => noticesOf(world, "welcome").length === 1);
    expect(noticesOf(world, "sign_in_notice")).toEqual([]);
  });

  test("goes out for a device whose session was ended from elsewhere", async () => {
    await using world = await open();
    const client = openPageClient(world);
    await client.signIn(email);
    await world.clock.advance(minute);
    const token = await signInFrom(world, "curl/8");
    await eventually("a notice is sent", () => noticesOf(world, "sign_in_notice").length === 1);
    await world.request("/auth/sessions/revoke-others", { method: "POST", token });
    await client.signIn(email);
    await eventually("another is sent", () => noticesOf(world, "sign_in_notice").length === 2);
  });

  test("leaves out a device that has no name", async () => {
    await using world = await open();
    await signInFrom(world, firefox);
    await signInFrom(world, "");
    const notice = await eventually(
      "a notice is sent",
      () => noticesOf(world, "sign_in_notice")[0],
    );
    expect(notice.data).toEqual({ signed_in_at: "2026-01-01T00:01:00.000Z" });
  });

  test.each([
    ["https://sign-in.example.com", { account_link: "https://sign-in.example.com/account" }],
    ["http://sign-in.internal", {}], // serve-email would refuse the mail
  ])("leads to the account at %s as %j", async (publicOrigin, link) => {
    const boundary = { trustedProxies: [], corsOrigins: [], publicOrigin };
    await using world = await open({ boundary });
    await signInFrom(world, firefox);
    await signInFrom(world, "");
    const notice = await eventually(
      "a notice is sent",
      () => noticesOf(world, "sign_in_notice")[0],
    );
    expect(notice.data).toEqual({ signed_in_at: "2026-01-01T00:01:00.000Z", ...link });
    expect(decodeEmailEvent(encodeEmailEvent(notice)).kind).toBe("event");
  });

  test("is left out when it is off", async () => {
    await using world = await open({ signInNotices: false });
    await signInFrom(world, firefox);
    await signInFrom(world, "curl/8");
    expect(noticesOf(world, "sign_in_notice")).toEqual([]);
  });

  test("that cannot be sent keeps nobody from signing in, and is logged", async () => {
    await using world = await open();
    await signInFrom(world, firefox);
    const logged = () => world.lines.filter((line) => line.includes("Notice not sent"));
    await world.post("/auth/request-code", { email });
    const body = { email, code: world.publisher.code };
    world.publisher.unavailable = true;
    const entered = await world.post("/auth/verify-code", body, { "User-Agent": "wget/1" });
    expect(entered.status).toBe(200);
    await eventually("it is logged", () => logged().length === 1);
  });
});

describe.each(signInEngines())("the notice of a changed address on %s", (_, open) => {
  test("goes to the old one, and masks the new one", async () => {
    await using world = await open();
    const token = await signInFrom(world, firefox);
    expect((await changeEmail(world, token)).status).toBe(200);
    expect(noticesOf(world, "email_change")).toEqual([
      {
        messageId: `email-change-${codesOf(world)[1]?.messageId}`,
        eventType: "email_change",
        timestamp: Date.UTC(2026, 0, 1, 0, 1),
        recipient: email,
        data: { new_email: "n***@example.org", changed_at: "2026-01-01T00:01:00.000Z" },
        expiresAt: undefined,
      },
    ]);
  });

  test("does not go out for a change that was refused", async () => {
    await using world = await open();
    await world.stores.users.signIn({ email: newEmail, username: undefined });
    const token = await signInFrom(world, firefox);
    expect((await changeEmail(world, token)).status).toBe(409);
    expect(noticesOf(world, "email_change")).toEqual([]);
  });

  test("is left out when it is off", async () => {
    await using world = await open({ emailChangeNotices: false });
    expect((await changeEmail(world, await signInFrom(world, firefox))).status).toBe(200);
    expect(noticesOf(world, "email_change")).toEqual([]);
  });

  test("that nobody takes does not keep the address from being changed, and is logged", async () => {
    await using world = await open();
    const token = await signInFrom(world, firefox);
    await world.request("/users/me/email", { method: "POST", token, body: { email: newEmail } });
    const body = { email: newEmail, code: world.publisher.code };
    world.publisher.unavailable = true;
    const answer = await world.request("/users/me/email/verify", { method: "POST", token, body });
    expect(answer.status).toBe(200);
    const told = (line: string) => line.includes("Notice not sent");
    await eventually("it is logged", () => world.lines.some(told));
  });
});

test("both notices are events that serve-email takes, however long the addresses", async () => {
  for (const [, open] of signInEngines().slice(0, 1)) {
    await using world = await open();
    const from = `${"ü".repeat(32)}@example.com`;
    await world.signIn(from, { headers: { "User-Agent": "curl/8" } });
    await world.clock.advance(minute);
    const agent = { "User-Agent": "a".repeat(500) };
    const { token } = await world.signIn(from, { headers: agent });
    const email = `${"x".repeat(64)}@${"y".repeat(60)}.example.com`;
    await world.request("/users/me/email", { method: "POST", token, body: { email } });
    const body = { email, code: world.publisher.code };
    await world.request("/users/me/email/verify", { method: "POST", token, body });
    const isNotice = ({ eventType }: { eventType: string }) => /notice|change/.test(eventType);
    const notices = await eventually("both are sent", () => {
      const found = world.publisher.events.filter(isNotice);
      return found.length === 2 ? found : undefined;
    });
    const kinds = notices.map((event) => decodeEmailEvent(encodeEmailEvent(event)).kind);
    expect(kinds).toEqual(["event", "event"]);
  }
});

describe.each(signInEngines())("the welcome mail on %s", (_, open) => {
  test("goes out with the first sign-in, once", async () => {
    await using world = await open();
    const recipient = "tess.lee+news@example.com";
    const { user } = await world.signIn(recipient);
    await world.clock.advance(minute);
    await world.signIn(recipient);
    expect(noticesOf(world, "welcome")).toEqual([
      {
        messageId: `welcome-${user["id"]}`,
        eventType: "welcome",
        timestamp: Date.UTC(2026, 0, 1),
        recipient,
        data: { username: "tess.lee+news" },
        expiresAt: undefined,
      },
    ]);
  });

  test("names the username when there is one", async () => {
    await using world = await open();
    await world.post("/auth/request-code", { email });
    const { code } = world.publisher;
    await world.post("/auth/verify-code", { email, code, username: "tess" });
    expect(noticesOf(world, "welcome")[0]?.data).toEqual({ username: "tess" });
  });

  test("is an event that serve-email takes, however long the address", async () => {
    await using world = await open();
    await world.signIn(`${"x".repeat(64)}@example.com`);
    await world.signIn(`${"ü".repeat(32)}@example.com`);
    const kinds = noticesOf(world, "welcome").map(
      (event) => decodeEmailEvent(encodeEmailEvent(event)).kind,
    );
    expect(kinds).toEqual(["event", "event"]);
  });

  test("is left out when it is off", async () => {
    await using world = await open({ welcomes: false });
    await world.signIn(email);
    expect(noticesOf(world, "welcome")).toEqual([]);
  });

  test("that nobody takes does not keep anybody from signing in, and is logged", async () => {
    await using world = await open();
    await world.post("/auth/request-code", { email });
    const { code } = world.publisher;
    world.publisher.unavailable = true;
    expect((await world.post("/auth/verify-code", { email, code })).status).toBe(200);
    await eventually("it is logged", () =>
      world.lines.some((line) => line.includes("Notice not sent")),
    );
  });
});

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

  test("stays that of the first mail when the same code is requested again", async () => {
    await using world = await open();
    await ask(world, "es");
    await ask(world, "ru");
    const [first, second] = world.publisher.events;
    expect(second).toEqual(first);
    expect(second?.data.locale).toBe("es");
  });

  test("is that of the mails after a sign-in and a change of address too", async () => {
    await using world = await open();
    const headers = { "Accept-Language": "ru" };
    await world.signIn(email, { headers });
    await world.clock.advance(1_000); // later than the account was made
    const other = { ...headers, "User-Agent": "curl/8" };
    const { token } = await world.signIn(email, { headers: other });
    const post = { method: "POST", headers, token };
    await world.request("/users/me/email", { ...post, body: { email: "b@example.com" } });
    const body = { email: "b@example.com", code: world.publisher.code };
    await world.request("/users/me/email/verify", { ...post, body });
    const told = () => new Set(world.publisher.events.map(({ eventType }) => eventType));
    await eventually("all are sent", () => told().size === 4);
    expect(world.publisher.events.map(({ data }) => data.locale)).not.toContain(undefined);
  });
});
