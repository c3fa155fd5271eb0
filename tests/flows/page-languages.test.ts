import { describe, expect, test } from "bun:test";
import { pageMessages } from "../../src/auth/pages/page-language.ts";
import { coreErrors, InstantError } from "../../src/core/errors.ts";
import type { Language } from "../../src/core/languages.ts";
import { languages, languageTags } from "../../src/core/languages.ts";
import { mailMessages } from "../../src/email/templates/languages.ts";
import { fromOurPage, openPageClient } from "../support/page-client.ts";
import { recipientEngines } from "../support/recipient-world.ts";
import type { SignInWorld } from "../support/sign-in-world.ts";
import { openEmbeddedWorld, signInEngines } from "../support/sign-in-world.ts";

const email = "ana@example.com";
const page = { Accept: "text/html", Host: fromOurPage.Host };

/** The language of the page at `path`, by its `lang`. */
async function languageAt(world: SignInWorld, headers: Record<string, string>, path = "/") {
  const answer = await world.request(path, { headers: { ...page, ...headers } });
  const html = await answer.text();
  const [, locale] = /<html lang="([^"]+)" dir="(?:ltr|rtl)">/.exec(html) ?? [];
  expect(answer.headers.get("Content-Language")).toBe(locale ?? "none");
  return locale;
}

describe("the language of a page", () => {
  test.each([
    ["de", "de"],
    ["de-AT, en;q=0.5", "de"],
    ["nl, fr;q=0.8, en;q=0.9", "en-GB"],
    ["nl, fr;q=0.9, en;q=0.8", "fr"],
    ["pt-PT", "pt-BR"],
    ["ar-EG", "ar"],
    ["JA-jp", "ja"],
    ["de;q=0, ru", "ru"],
    ["nl", "es"],
    ["*", "es"],
    ["de_DE, ;;q=x", "es"],
    [`de-${"x".repeat(40)}`, "es"],
    ["", "es"],
  ])("for Accept-Language %p, and EMAIL_LOCALE=es, is %s", async (wanted, locale) => {
    await using world = await openEmbeddedWorld({ fallbackLanguage: "es" });
    expect(await languageAt(world, { "Accept-Language": wanted })).toBe(locale);
  });

  test("that was chosen wins, and an unknown one is as if none was", async () => {
    await using world = await openEmbeddedWorld();
    const at = (cookie: string) =>
      languageAt(world, { "Accept-Language": "fr", Cookie: `page_language=${cookie}` });
    expect(await at("ja")).toBe("ja");
    for (const unknown of ["nl", "", "toString", "DE", "%00"]) expect(await at(unknown)).toBe("fr");
  });

  test("is said to caches, and by the direction of its text", async () => {
    await using world = await openEmbeddedWorld();
    for (const tag of languageTags) {
      const { locale, direction } = languages[tag];
      const answer = await world.request("/", { headers: { ...page, "Accept-Language": locale } });
      expect(answer.headers.get("Vary")).toBe("Accept-Language, Cookie");
      const html = await answer.text();
      expect(html).toContain(`<html lang="${locale}" dir="${direction}">`);
      expect(html).toContain(`<h1>${pageMessages[tag].signIn.title}</h1>`);
      const links = languageTags.map((other) => `href="?lang=${other}"`);
      for (const link of links) expect(html).toContain(link);
      expect(html.match(/aria-current="true">([^<]+)</)?.[1]).toBe(languages[tag].name);
    }
  });

  test("stays English for operators' and developers' pages, and for the API", async () => {
    await using world = await openEmbeddedWorld();
    const headers = { "Accept-Language": "de", Cookie: "page_language=ja" };
    expect(await languageAt(world, headers, "/docs")).toBe("en-GB");
    const problem = await world.request("/auth/session", { headers });
    expect(await problem.json()).toMatchObject({ title: "The request is not authenticated" });
  });
});

describe("a link to another language", () => {
  test("leads to the same page, and is remembered for a year", async () => {
    await using world = await openEmbeddedWorld();
    const client = openPageClient(world);
    await client.post("/sign-in", { email });
    const answer = await client.get("/sign-in/code?lang=de");
    expect([answer.status, answer.headers.get("Location")]).toEqual([303, "/sign-in/code"]);
    expect(answer.headers.getSetCookie()).toEqual([
      "page_language=de; Max-Age=31536000; Path=/; HttpOnly; SameSite=Lax",
    ]);
    expect(await client.follow(answer)).toContain(pageMessages.de.purposes.sign_in.title);
    expect(await (await client.get("/nowhere")).text()).toContain(pageMessages.de.nowhere.title);
  });

  test("sets a cookie that is Secure in production", async () => {
    await using world = await openEmbeddedWorld({ secureCookies: true });
    const answer = await world.request("/?lang=ja", { headers: page });
    const [cookie = ""] = answer.headers.getSetCookie();
    expect(cookie).toStartWith("__Host-page_language=ja; ");
    expect(cookie).toContain("; Secure");
    const headers = { Cookie: cookie.replace(/;.*/, "") };
    expect(await languageAt(world, headers)).toBe("ja");
  });

  test("takes a locale too, and keeps the rest of the address", async () => {
    await using world = await openEmbeddedWorld();
    const answer = await world.request("/account?x=1&lang=pt-PT&y=2", { headers: page });
    expect(answer.headers.get("Location")).toBe("/account?x=1&y=2");
    expect(answer.headers.getSetCookie()[0]).toStartWith("page_language=pt;");
  });

  test.each([
    "//evil.example/?lang=de",
    "/\\evil.example?lang=de",
    "///evil.example?lang=de",
    "/%09/evil.example?lang=de",
    "/%09%5cevil.example/?lang=de",
    "/%0a/evil.example?lang=de",
    "/%0d%0aX:y?lang=de",
    "/%00/x?lang=de",
  ])("never leads elsewhere: %s", async (path) => {
    await using world = await openEmbeddedWorld();
    const { request } = world.app;
    const answer = await request(new Request(`http://localhost${path}`, { headers: page }));
    const location = new URL(answer.headers.get("Location") ?? "", "http://localhost/");
    expect(answer.status).toBe(303);
    expect(location.host).toBe("localhost");
    expect(answer.headers.get("Cache-Control")).toBe("no-store");
  });

  test.each([
    { "Sec-Purpose": "prefetch" },
    { "Sec-Fetch-Dest": "image", "Sec-Fetch-Site": "cross-site" },
  ] as Record<string, string>[])("changes nothing where nobody sees it: %p", async (headers) => {
    await using world = await openEmbeddedWorld();
    const answer = await world.request("/?lang=de", { headers: { ...page, ...headers } });
    expect([answer.status, answer.headers.getSetCookie()]).toEqual([200, []]);
  });

  test("changes nothing for an unknown language, for a form or for the API", async () => {
    await using world = await openEmbeddedWorld();
    const client = openPageClient(world);
    for (const answer of [
      await client.get("/?lang=nl"),
      await client.get("/?lang="),
      await client.post("/sign-in?lang=de", { email: "no address" }),
      await world.request("/auth/session?lang=de"),
    ]) {
      expect(answer.headers.getSetCookie().join()).not.toContain("page_language");
    }
  });
});

describe.each([...languageTags])("in %s", (language: Language) => {
  const messages = pageMessages[language];
  const chosen = (world: SignInWorld) => {
    const client = openPageClient(world);
    client.cookies.set("page_language", language);
    return client;
  };

  test("every page on the way from signing in to deleting the account is in one language", async () => {
    await using world = await openEmbeddedWorld();
    const client = chosen(world);
    const pages = [await (await client.get("/")).text()];
    const follow = async (answer: Response) => {
      const html = await client.follow(answer);
      pages.push(html);
      return html;
    };
    const wrong = await follow(await client.post("/sign-in", { email: "ana@example" }));
    expect(wrong).toContain(messages.failed.email_invalid());
    await follow(await client.post("/sign-in", { email }));
    await follow(await client.post("/sign-in/code", { code: "1" }));
    await follow(await client.post("/sign-in/code", { code: world.publisher.code }));
    const named = await follow(await client.post("/account/username", { username: "tess" }));
    expect(named).toContain(messages.done.username_saved);
    pages.push(await (await client.get("/account/delete")).text());
    await follow(await client.post("/account/delete"));
    const left = await client.post("/account/delete/code", { code: world.publisher.code });
    expect(await follow(left)).toContain(messages.done.account_deleted);
    for (const html of pages) {
      expect(html).toContain(`<html lang="${languages[language].locale}"`);
      if (language !== "en") expect(textOf(html)).not.toMatch(/\b(?:the|your|you|with)\b/i);
    }
  });

  test("errors are pages of that language too", async () => {
    await using world = await openEmbeddedWorld();
    const client = chosen(world);
    expect(await (await client.get("/nowhere")).text()).toContain(messages.nowhere.text);
    const long = await client.post("/sign-in", { email: "x".repeat(70_000) });
    expect(await long.text()).toContain(messages.refused.text);
    const foreign = await client.post(
      "/sign-in",
      { email },
      { ...page, Origin: "https://evil.example" },
    );
    const html = await foreign.text();
    expect(html).toContain(messages.elsewhere.text);
    expect(html).toContain('href="/?lang=de"'); // the form is not repeated
    const sessions = { ...world.stores.sessions };
    sessions.find = () => Promise.reject(new InstantError(coreErrors.deadlineExceeded));
    const broken = chosen(world.restart({ sessions }));
    broken.cookies.set("session_id", "a".repeat(43));
    broken.cookies.set("page_language", language);
    expect(await (await broken.get("/account")).text()).toContain(messages.unavailable.title);
  });

  test("the preferences are too, and a link that is no good", async () => {
    const [engine] = recipientEngines();
    if (engine === undefined) throw new Error("there is always SQLite");
    await using opened = await engine[1]();
    const { preferences } = mailMessages[language];
    const headers = { ...page, Cookie: `page_language=${language}` };
    const link = opened.linkTo(email);
    const shown = await opened.world.request(link, { headers });
    expect(shown.headers.get("Vary")).toBe("Accept-Language, Cookie");
    expect(await shown.text()).toContain(preferences.title);
    const form = { ...headers, "Content-Type": "application/x-www-form-urlencoded" };
    const post = { method: "POST", body: "List-Unsubscribe=One-Click", headers: form };
    const declined = await (await opened.world.request(link, post)).text();
    const { title } = preferences.types.welcome;
    expect(declined).toContain(preferences.unsubscribed(preferences.nameOf(title)));
    const cut = await opened.world.request(link.slice(0, -5), { headers });
    expect(await cut.text()).toContain(preferences.forged.text);
  });
});

/** What a reader sees of a page, without the names of the languages and our own. */
function textOf(html: string): string {
  const body = html.replace(/^.*<body>/s, "").replace(/<(script|footer).*?<\/\1>/gs, " ");
  return body.replace(/<[^>]+>/g, " ");
}

describe.each(signInEngines())("the mails that come of a page on %s", (_, open) => {
  test("are in the language that was chosen there, whatever the browser accepts", async () => {
    await using world = await open();
    const client = openPageClient(world);
    client.cookies.set("page_language", "ja");
    const fromPage = { ...fromOurPage, "Accept-Language": "es" };
    await client.post("/sign-in", { email }, fromPage);
    expect(world.publisher.events.map(({ data }) => data.locale)).toEqual(["ja"]);
    await client.post("/sign-in/code", { code: world.publisher.code }, fromPage);
    await client.post("/account/email", { email: "new@example.org" }, fromPage);
    const locales = world.publisher.events.map(({ data }) => data.locale);
    expect(new Set(locales)).toEqual(new Set(["ja"]));
  });

  test("are in the browser's where none was chosen, and the API's as its caller asks", async () => {
    await using world = await open();
    const client = openPageClient(world);
    await client.post("/sign-in", { email }, { ...fromOurPage, "Accept-Language": "es-MX" });
    const headers = { "Accept-Language": "ru", Cookie: "page_language=ja" };
    await world.post("/auth/request-code", { email: "b@example.com" }, headers);
    expect(world.publisher.events.map(({ data }) => data.locale)).toEqual(["es-MX", "ru"]);
  });
});

test("a page shows an address as people write it, kept from left to right", async () => {
  await using world = await openEmbeddedWorld();
  const client = openPageClient(world);
  client.cookies.set("page_language", "ar");
  const shown = (address: string) =>
    `<strong><bdi class="address" dir="ltr">${address}</bdi></strong>`;
  const answer = await client.post("/sign-in", { email: "ana@BÜCHER.example" });
  expect(await client.follow(answer)).toContain(shown("ana@bücher.example"));
  expect(world.publisher.events[0]?.recipient).toBe("ana@xn--bcher-kva.example");
  const mixed = await client.post("/sign-in", { email: "ana@pаypal.example" }); // a Cyrillic а
  expect(await client.follow(mixed)).toContain(shown("ana@xn--pypal-4ve.example"));
});
