import { describe, expect, test } from "bun:test";
import { english } from "../../src/auth/pages/languages/en.ts";
import { deviceName, pageLanguageOf, pageMessages } from "../../src/auth/pages/page-language.ts";
import { describeDevice } from "../../src/auth/sessions/session-store.ts";
import type { Language } from "../../src/core/languages.ts";
import { findLanguage, languageTags } from "../../src/core/languages.ts";
import { mailMessages } from "../../src/email/templates/languages.ts";

type Message = string | ((...values: string[]) => string);

/** Every message of a table by its path, for example "code.sent". */
function messagesOf(table: object, path = ""): [string, Message][] {
  return Object.entries(table).flatMap(([name, value]) => {
    const at = path === "" ? name : `${path}.${name}`;
    return typeof value === "object" ? messagesOf(value, at) : [[at, value as Message]];
  });
}

const allOf = (language: Language) =>
  new Map(messagesOf({ pages: pageMessages[language], mails: mailMessages[language] }));

/** One word for each value that a message may take. */
const values = ["\uE000", "\uE001", "\uE002"];
const write = (message: Message) => (typeof message === "string" ? message : message(...values));
const inEnglish = allOf("en");
const others = languageTags.filter((tag) => tag !== "en");

describe.each(others)("the messages in %s", (language) => {
  const messages = allOf(language);

  test("are those of English, with the same values in each", () => {
    expect([...messages.keys()].toSorted()).toEqual([...inEnglish.keys()].toSorted());
    for (const [path, message] of messages) {
      const original = write(inEnglish.get(path) ?? "");
      const marks = [...values, "{left}"].filter((mark) => original.includes(mark));
      const kept = [...values, "{left}"].filter((mark) => write(message).includes(mark));
      expect([path, kept]).toEqual([path, marks]);
      expect(write(message).replace("{left}", "…")).not.toMatch(/undefined|[{}]|^ | $| {2}/);
    }
  });

  test("are all translated", () => {
    const alike = [...messages].filter(([path, message]) => {
      const text = write(message).replace(/[^\p{L}]/gu, "");
      return text !== "" && text === write(inEnglish.get(path) ?? "").replace(/[^\p{L}]/gu, "");
    });
    const alikeByChance = new Set(["fr pages.account.mails.title", "pt pages.account.mails.title"]);
    const paths = alike.map(([path]) => `${language} ${path}`);
    expect(paths.filter((path) => !alikeByChance.has(path))).toEqual([]);
    const text = [...messages.values()].map(write).join("\n");
    expect(text).not.toMatch(/\b(?:the|your|you|and|with|sign|address|account|try|again)\b/i);
  });

  test("have no letters of another script but names", () => {
    if (!["ru", "ar", "ja"].includes(language)) return;
    for (const [path, message] of messages) {
      const foreign = write(message)
        .replace(/ana@example\.com|\{left\}|ASCII|[Cc]ookie|https?|\b[az]\b/g, "")
        .match(/[A-Za-z]+/g);
      expect([path, foreign]).toEqual([path, null]);
    }
  });
});

test.each([
  ["fr", /[^\u00a0](?!:\/\/)[?!;:»]|«[^\u00a0]/],
  ["es", /^[^¿]*\?|^[^¡]*!/],
  ["de", /["„][^“]*$|\bdu\b|\bdein/i],
  ["ru", / - | — /],
  ["ja", /[？。、] |[ａ-ｚ０-９]|(?<![\w)])[?!]/],
  ["ar", /[?;,]|[٠-٩]/],
] as const)("the pages in %s keep its typography", (language, fault) => {
  const faulty = messagesOf(pageMessages[language])
    .map(([path, message]) => [path, write(message)] as const)
    .filter(([, text]) => fault.test(text));
  expect(faulty).toEqual([]);
});

const [second, minute, hour, day] = [1000, 60_000, 3_600_000, 86_400_000];

test.each([
  ["en", second, "1 second", "in 1 second"],
  ["en", 15 * minute, "15 minutes", "in 15 minutes"],
  ["en", 119.5 * minute, "2 hours", "in 2 hours"],
  ["de", 5 * minute, "5 Minuten", "in 5 Minuten"],
  ["es", minute, "1 minuto", "dentro de 1 minuto"],
  ["fr", 42 * second, "42\u00a0secondes", "dans 42 secondes"],
  ["pt", 3 * hour, "3 horas", "em 3 horas"],
  ["ru", 21 * minute, "21 минута", "через 21 минуту"],
  ["ru", 22 * minute, "22 минуты", "через 22 минуты"],
  ["ru", 25 * minute, "25 минут", "через 25 минут"],
  ["ar", 2 * minute, "دقيقتان", "خلال دقيقتين"],
  ["ar", 5 * minute, "5 دقائق", "خلال 5 دقائق"],
  ["ar", 15 * minute, "15 دقيقة", "خلال 15 دقيقة"],
  ["ja", 15 * minute, "15分", "15分後"],
] as const)("%s has its own plurals: %d ms are %s, %s", (language, ms, left, later) => {
  const { left: writeLeft, later: writeLater } = pageLanguageOf(language);
  expect([writeLeft(ms), writeLater(ms)]).toEqual([left, later]);
});

test("Arabic says after, and not within, a time", () => {
  const { messages, later } = pageLanguageOf("ar");
  expect(messages.failed.too_many_attempts(later(2 * minute))).toEndWith("بعد دقيقتين.");
});

test.each([
  ["en", "just now", "5 minutes ago", "yesterday", "3 days ago"],
  ["de", "gerade eben", "vor 5 Minuten", "gestern", "vor 3 Tagen"],
  ["es", "ahora mismo", "hace 5 minutos", "ayer", "hace 3 días"],
  ["fr", "à l’instant", "il y a 5 minutes", "hier", "il y a 3 jours"],
  ["pt", "agora mesmo", "há 5 minutos", "ontem", "há 3 dias"],
  ["ru", "только что", "5 минут назад", "вчера", "3 дня назад"],
  ["ar", "الآن", "قبل 5 دقائق", "أمس", "قبل 3 أيام"],
  ["ja", "たった今", "5分前", "昨日", "3日前"],
] as const)("%s says how long ago something was", (language, now, minutes, yesterday, days) => {
  const { ago } = pageLanguageOf(language);
  expect([0, 5 * minute, day, 3 * day].map(ago)).toEqual([now, minutes, yesterday, days]);
});

test("the name of a device is in the reader's language, and a program's is its own", () => {
  const firefox = describeDevice("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0");
  const browser = describeDevice("Mozilla/5.0 (X11; Linux x86_64)");
  const names = (language: Language) =>
    [firefox, browser, describeDevice(""), "curl"].map((device) =>
      deviceName(device, pageMessages[language]),
    );
  expect(names("en")).toEqual([firefox, browser, describeDevice(undefined), "curl"]);
  expect(names("de")).toEqual([
    "Firefox auf Linux",
    "Ein Browser auf Linux",
    "Unbekanntes Gerät",
    "curl",
  ]);
  expect(names("ja")).toEqual(["Firefox（Linux）", "ブラウザ（Linux）", "不明な端末", "curl"]);
  expect(english.account.sessions.unknownDevice).toBe(describeDevice(undefined));
});

test.each([
  ["pt-PT", "pt"],
  ["ar-EG", "ar"],
  ["EN", "en"],
  ["nl", undefined],
  ["", undefined],
  ["tostring", undefined],
] as const)("the language of the locale %p is %p", (locale, language) => {
  expect(findLanguage(locale)).toBe(language);
});
