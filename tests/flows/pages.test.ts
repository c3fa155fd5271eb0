import { describe, expect, test } from "bun:test";
import { createAuthKeys } from "../../src/auth/auth-deps.ts";
import { fromOurPage, openPageClient } from "../support/page-client.ts";
import type { SignInWorld } from "../support/sign-in-world.ts";
import { openEmbeddedWorld, signInEngines, testSecret } from "../support/sign-in-world.ts";

const email = "test@example.com";
const minute = 60_000;
const otherThan = (code: string) => (code === "999999" ? "999998" : "999999");
const isLive = async (world: SignInWorld, token: string) =>
  (await world.request("/auth/session", { token })).status === 200;

/** Every form that a page of ours may send. */
function formsOf(world: SignInWorld): string[] {
  const posts = world.app.routes.filter(({ method }) => method === "POST");
  return posts.map(({ path }) => path).filter((path) => !/^\/(auth|users)\//.test(path));
}

describe.each(signInEngines())("the pages on %s", (_, open) => {
  test("lead from signing in to deleting the account, and no URL on the way reveals anything", async () => {
    await using world = await open();
    const client = openPageClient(world);
    const asked = await client.post("/sign-in", { email });
    const entered = await client.post("/sign-in/code", { code: world.publisher.code });
    const named = await client.post("/account/username", { username: "tess" });
    const moved = await client.post("/account/email", { email: "new@example.org" });
    const confirmed = await client.post("/account/email/code", { code: world.publisher.code });
    const leaving = await client.post("/account/delete");
    const left = await client.post("/account/delete/code", { code: world.publisher.code });
    const answers = [asked, entered, named, moved, confirmed, leaving, left];
    expect(answers.map(({ headers }) => headers.get("Location"))).toEqual([
      "/sign-in/code",
      "/account",
      "/account#username",
      "/account/email/code",
      "/account#email",
      "/account/delete/code",
      "/",
    ]);
    expect(await client.follow(left)).toContain("Your account is deleted.");
    expect([...client.cookies.keys()]).toEqual([]);
  });

  test("lock an address after five wrong codes, and take a new one when the lock is over", async () => {
    await using world = await open();
    const client = openPageClient(world);
    await client.post("/sign-in", { email });
    const code = otherThan(world.publisher.code);
    const said = ["That code is wrong", "for the next 15 minutes"] as const;
    for (let wrong = 1; wrong <= 5; wrong += 1) {
      const answer = await client.post("/sign-in/code", { code });
      expect(await client.follow(answer)).toContain(wrong < 5 ? said[0] : said[1]);
    }
    const right = await client.post("/sign-in/code", { code: world.publisher.code });
    expect(await client.follow(right)).toContain("for the next 15 minutes");
    await world.clock.advance(10 * minute);
    expect(await (await client.get("/sign-in/code")).text()).toContain("for the next 5 minutes");
    await world.clock.advance(5 * minute);
    const over = await (await client.get("/sign-in/code")).text();
    expect(over).toContain("Six-digit code");
    await client.post("/sign-in/again");
    const signedIn = await client.post("/sign-in/code", { code: world.publisher.code });
    expect(signedIn.headers.get("Location")).toBe("/account");
  });
});

const boundary = {
  trustedProxies: [],
  corsOrigins: [],
  publicOrigin: "https://sign-in.example.com",
};

describe.each(signInEngines())("the pages of a change of address on %s", (_, open) => {
  const newEmail = "new@example.org";
  const codeTo = ({ publisher }: SignInWorld, recipient: string) => {
    const mail = publisher.events.findLast(
      (event) => event.eventType === "verification_code" && event.recipient === recipient,
    );
    return mail?.eventType === "verification_code" ? mail.data.code : "";
  };
  const undoPathIn = ({ publisher }: SignInWorld) => {
    const notice = publisher.events.findLast(({ eventType }) => eventType === "email_change");
    const link = notice?.eventType === "email_change" ? notice.data.undo_link : undefined;
    return new URL(link ?? "").pathname;
  };

  test("take both codes when the sign-in is not recent, and show a mistake where it is", async () => {
    await using world = await open({ boundary });
    const client = openPageClient(world);
    await client.signIn(email);
    await world.clock.advance(11 * minute);
    const page = await client.follow(await client.post("/account/email", { email: newEmail }));
    for (const text of [email, newEmail, "Code from the current address"]) {
      expect(page).toContain(text);
    }
    const codes = { code: codeTo(world, newEmail), current_code: codeTo(world, email) };
    const enter = async (fields: Record<string, string>) =>
      client.follow(await client.post("/account/email/code", { ...codes, ...fields }));
    const errorOf = (html: string) => {
      const [, field, error = ""] = /id="([\w-]+)-error"[^>]*>(.*?)<\/p>/s.exec(html) ?? [];
      return [field, error.replace(/<.*?>/g, "").trim()];
    };
    const wrong = "That code is wrong or has expired. Use the one in our latest e-mail.";
    const shape = "The code has six digits. You will find it in our latest e-mail.";
    expect(errorOf(await enter({ code: otherThan(codes.code) }))).toEqual(["code", wrong]);
    const wrongCurrent = { current_code: otherThan(codes.current_code) };
    expect(errorOf(await enter(wrongCurrent))).toEqual(["current-code", wrong]);
    expect(errorOf(await enter({ code: "12" }))).toEqual(["code", shape]);
    expect(errorOf(await enter({ current_code: "12" }))).toEqual(["current-code", shape]);
    expect(await enter({ current_code: "" })).toContain("Your sign-in was a while ago");
    expect(await enter({})).toContain("Your address is changed");
  });

  test("ask for the current one too when the sign-in is not recent any more", async () => {
    await using world = await open({ boundary });
    const client = openPageClient(world);
    await client.signIn(email);
    await world.clock.advance(9 * minute);
    const page = await client.follow(await client.post("/account/email", { email: newEmail }));
    expect(page).not.toContain("Code from the current address");
    await world.clock.advance(2 * minute);
    const late = await client.post("/account/email/code", { code: codeTo(world, newEmail) });
    expect(await client.follow(late)).toContain("Send new codes to both.");
    await client.post("/account/email/again");
    const codes = { code: codeTo(world, newEmail), current_code: codeTo(world, email) };
    const done = await client.post("/account/email/code", codes);
    expect(await client.follow(done)).toContain("Your address is changed");
  });

  test("undo it by the link in the notice: looking at it changes nothing, its form does", async () => {
    await using world = await open({ boundary });
    const thief = openPageClient(world);
    await thief.signIn(email);
    await thief.post("/account/email", { email: newEmail });
    await thief.post("/account/email/code", { code: codeTo(world, newEmail) });
    const path = undoPathIn(world);
    const owner = openPageClient(world);
    for (let look = 0; look < 2; look += 1) {
      const page = await owner.get(path);
      expect(page.status).toBe(200);
      const html = await page.text();
      expect(html).toContain("t***@example.com");
      expect(html).not.toContain(email);
    }
    const foreign = await owner.post(path, {}, { ...fromOurPage, "Sec-Fetch-Site": "cross-site" });
    expect(foreign.status).toBe(403);
    expect(await (await thief.get("/account")).text()).toContain(newEmail);
    const done = await owner.follow(await owner.post(path));
    expect(done).toContain("The address of your account is restored");
    expect((await thief.get("/account")).status).toBe(303);
    await owner.signIn(email);
    const again = await owner.get(path);
    expect([again.status, await again.text()]).toEqual([
      410,
      expect.stringContaining("This link has expired"),
    ]);
  });

  test("say what to do when the old address has a new account, and keep the link", async () => {
    await using world = await open({ boundary });
    const thief = openPageClient(world);
    await thief.signIn(email);
    await thief.post("/account/email", { email: newEmail });
    await thief.post("/account/email/code", { code: codeTo(world, newEmail) });
    const path = undoPathIn(world);
    await world.clock.advance(minute);
    const owner = openPageClient(world);
    await owner.signIn(email);
    const taken = await owner.post(path);
    expect([taken.status, await taken.text()]).toEqual([
      409,
      expect.stringContaining("delete it, and open this link again"),
    ]);
    await owner.post("/account/delete");
    await owner.post("/account/delete/code", { code: codeTo(world, email) });
    expect(await owner.follow(await owner.post(path))).toContain("is restored");
  });

  test("do not delete the account while that can be undone", async () => {
    await using world = await open({ boundary });
    const client = openPageClient(world);
    await client.signIn(email);
    await client.post("/account/email", { email: newEmail });
    await client.post("/account/email/code", { code: codeTo(world, newEmail) });
    const refused = await client.follow(await client.post("/account/delete"));
    expect(refused).toContain("You can delete the account in 72 hours.");
  });
});

test("a page is one line in the access log, and its failures are logged like those of the API", async () => {
  await using world = await openEmbeddedWorld();
  const client = openPageClient(world);
  await client.signIn(email);
  const linesOf = (phrase: string) =>
    world.lines
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .filter(({ msg }) => msg === phrase);
  expect(linesOf("HTTP request").map(({ route, status }) => [route, status])).toEqual([
    ["/sign-in", 303],
    ["/sign-in/code", 303],
  ]);
  for (const phrase of ["Verification code requested", "Signed in"]) {
    expect(linesOf(phrase)).toMatchObject([{ requestId: expect.any(String) }]);
  }
  world.publisher.unavailable = true;
  const asked = await client.post("/account/delete");
  expect(await client.follow(asked)).toContain("We cannot send e-mails right now");
  expect(linesOf("Request was not served")).toMatchObject([
    { code: "mail_unavailable", requestId: asked.headers.get("X-Request-Id") },
  ]);
});

describe("a form", () => {
  test.each([
    ["of another site", { Host: fromOurPage.Host, Origin: "https://evil.example" }],
    ["that the browser says is elsewhere", { "Sec-Fetch-Site": "cross-site" }],
    [
      "of a neighbour",
      { ...fromOurPage, Origin: "https://x.example.com", "Sec-Fetch-Site": "same-site" },
    ],
    ["that hides its origin", { Host: fromOurPage.Host, Origin: "null" }],
    ["that nobody sent from a page", { Host: fromOurPage.Host }],
  ])("%s is refused with a page, and nothing is done", async (_, headers) => {
    await using world = await openEmbeddedWorld();
    const client = openPageClient(world);
    await client.signIn(email);
    await client.post("/account/delete");
    const [mails, cookies] = [world.publisher.events.length, [...client.cookies]];
    const { code } = world.publisher;
    expect(formsOf(world).length).toBeGreaterThan(12);
    for (const path of formsOf(world)) {
      const fields = { email: "evil@example.com", username: "evil", code };
      const answer = await client.post(path, fields, headers);
      expect([path, answer.status]).toEqual([path, 403]);
      expect(await answer.text()).toContain("was not sent from a page of this site");
    }
    expect(world.publisher.events).toHaveLength(mails);
    expect([...client.cookies]).toEqual(cookies);
    const account = await (await client.get("/account")).text();
    expect(account).toContain(email);
    expect(account).not.toContain("evil");
  });

  test("that is too long is refused with a page", async () => {
    await using world = await openEmbeddedWorld();
    const client = openPageClient(world);
    const answer = await client.post("/sign-in", { email: "x".repeat(70_000) });
    expect(answer.status).toBe(413);
    expect(await answer.text()).toContain("too long");
  });
});

describe("what a browser keeps between two pages", () => {
  async function entryPage(world: SignInWorld, cookie: string): Promise<string> {
    const client = openPageClient(world);
    client.cookies.set("page_code", cookie);
    return (await client.get("/sign-in/code")).text();
  }

  test("is taken only as it was given out", async () => {
    await using world = await openEmbeddedWorld();
    const client = openPageClient(world);
    await client.post("/sign-in", { email });
    const given = client.cookies.get("page_code") ?? "";
    const [text = "", ...signed] = given.split(".");
    const signature = signed.join(".");
    expect(await entryPage(world, given)).toContain(email);
    await client.post("/sign-in/code", { code: "1" });
    const note = client.cookies.get("page_flash") ?? "";
    const forged = Buffer.from(
      Buffer.from(text, "base64url").toString().replace(email, "evil@example.com"),
    ).toString("base64url");
    for (const tampered of [
      `${forged}.${signature}`,
      `${text}.${signature.slice(0, -2)}AA`,
      `${text}.`,
      text,
      `.${signature}`,
      note,
      "%00",
      "e30.e30",
    ]) {
      const page = await entryPage(world, tampered);
      expect(page).toContain("Start again");
      expect(page).not.toContain("@example.com");
    }
  });

  test("of one step is nothing in another, nor without the code", async () => {
    await using world = await openEmbeddedWorld();
    const client = openPageClient(world);
    await client.post("/sign-in", { email });
    const thief = openPageClient(world);
    await thief.signIn("thief@example.com");
    thief.cookies.set("page_code", client.cookies.get("page_code") ?? "");
    for (const path of ["/account/email/code", "/account/delete/code"]) {
      expect(await (await thief.get(path)).text()).toContain("Start again");
      await thief.post(path, { code: world.publisher.code });
    }
    const answer = await thief.post("/sign-in/code", { code: otherThan(world.publisher.code) });
    expect(await thief.follow(answer)).toContain("That code is wrong");
    expect(await (await thief.get("/account")).text()).not.toContain(email);
  });

  test("outlives a change of AUTH_SECRET as long as the former is known", async () => {
    await using world = await openEmbeddedWorld();
    const client = openPageClient(world);
    await client.post("/sign-in", { email });
    const given = client.cookies.get("page_code") ?? "";
    const secret = "another secret for the sign-in tests";
    const changed = world.restart({ keys: createAuthKeys(secret, testSecret) });
    expect(await entryPage(changed, given)).toContain(email);
    const forgotten = world.restart({ keys: createAuthKeys(secret, undefined) });
    expect(await entryPage(forgotten, given)).toContain("Start again");
  });

  test("of an invalid session is deleted, and the page says so", async () => {
    await using world = await openEmbeddedWorld();
    const client = openPageClient(world);
    await client.signIn(email);
    const token = client.cookies.get("session_id") ?? "";
    for (const tampered of [`${token.slice(0, -1)}!`, "a".repeat(43), "x", token.slice(1)]) {
      client.cookies.set("session_id", tampered);
      const answer = await client.get("/account");
      expect(answer.headers.get("Location")).toBe("/");
      expect(client.cookies.has("session_id")).toBe(false);
      expect(await client.follow(answer)).toContain("You are no longer signed in.");
    }
    expect(await isLive(world, token)).toBe(true);
  });
});

test("every page forbids to be framed, cached, and to tell other sites where it is", async () => {
  await using world = await openEmbeddedWorld();
  const client = openPageClient(world);
  await client.post("/sign-in", { email });
  const paths = ["/", "/sign-in/code", "/account/email/code", "/nowhere"];
  await client.signIn("other@example.com");
  for (const path of [...paths, "/account", "/account/delete"]) {
    const { headers } = await client.get(path);
    if (path === "/" || path === "/sign-in/code") {
      expect(headers.get("Location")).toBe("/account");
    } else {
      const policy = headers.get("Content-Security-Policy") ?? "";
      expect(policy).toContain("frame-ancestors 'none'");
      expect(policy).toMatch(/script-src 'nonce-[\w-]{20,}'(;|$)/);
      expect(policy).not.toContain("unsafe");
      expect(headers.get("Cache-Control")).toBe("no-store");
      expect(headers.get("Referrer-Policy")).toBe("same-origin");
      expect(headers.get("X-Request-Id")).toBeTruthy();
    }
  }
});
