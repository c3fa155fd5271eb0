import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { deviceAttemptsMax, knownDevicesMax } from "../../src/auth/codes/code-store.ts";
import {
  resolveCodePolicy,
  resolveLimitPolicy,
  resolveSessionPolicy,
} from "../../src/auth/config.ts";
import { loadConfig } from "../../src/compose/config.ts";
import { formatGoDuration } from "../../src/core/time.ts";
import { guesserRows } from "../contract/code-store-attempts.ts";
import { guessOdds } from "../support/code-requests.ts";
import { siteRows } from "../support/strangers.ts";

const page = readFileSync("docs/security.md", "utf8").replaceAll(/\s+/g, " ");
const { auth } = loadConfig({});
const codes = resolveCodePolicy(auth);
const limits = resolveLimitPolicy(auth);
const sessions = resolveSessionPolicy(auth);
const odds = guessOdds(codes);

const minutes = (ms: number) => `${ms / 60_000} minute${ms === 60_000 ? "" : "s"}`;
const hours = (ms: number) => `${ms / 3_600_000} hour${ms === 3_600_000 ? "" : "s"}`;
const days = (ms: number) => ms / 86_400_000;
const count = (value: number) => value.toLocaleString("en-US");
/** "25 in a million: 1 in 40,000". */
const chance = (inAMillion: number) =>
  `${inAMillion} in a million: 1 in ${count(Math.round(1_000_000 / inAMillion))}`;

const { codesPerClient, codesGlobal, attemptsPerClient, attemptsGlobal } = limits;
const chancesOfAll = attemptsGlobal.quota * odds.liveCodesMax;
const chancesUnsent = codes.codesMax * odds.guessesPerHourMax;
const deviceAttempts = deviceAttemptsMax(codes);
const mailsOfDevices = codes.codesMax * (1 + knownDevicesMax);
/** What a /48, or an IPv4 /24, may use of what a client may: `networkLimits`. */
const ofSite = (quota: number) => 10 * quota;
const siteAttempts = ofSite(attemptsPerClient.quota);
const siteChances = siteAttempts * odds.liveCodesMax;
const reserve = attemptsGlobal.quota / 4;
const earnedPerHour = codes.codesMax;
const siteGuesses = limits.attemptsPerNetworkAndMailbox.quota;
const siteMails = limits.codesPerNetworkAndMailbox.quota;
const siteWrongCodes = siteAttempts + ofSite(codesPerClient.quota);
const mailsPerDay = (24 * 3_600_000 * codes.codesMax) / codes.codesWindowMs;

/** What the page must say in these words, made from the defaults of the settings. */
const sentences = [
  `*T* = \`AUTH_ATTEMPTS_PER_EMAIL\` (${codes.attemptsMax})`,
  `\`AUTH_ATTEMPTS_WINDOW\` (${formatGoDuration(codes.attemptsWindowMs)})`,
  `\`AUTH_LOCK\` (${formatGoDuration(codes.lockMs)})`,
  `*C* = \`AUTH_CODES_PER_EMAIL\` (${codes.codesMax})`,
  `\`AUTH_CODES_WINDOW\` (${formatGoDuration(codes.codesWindowMs)})`,
  `*L* = \`AUTH_CODE_LIFETIME\` (${formatGoDuration(codes.lifetimeMs)})`,
  `| *T* × ⌈1 h ÷ *W*⌉ | at most ${odds.guessesPerHourMax} |`,
  `| *T* × ⌈24 h ÷ *W*⌉ | at most ${odds.guessesPerDayMax} |`,
  `| *C*, at most 20 | at most ${odds.liveCodesMax} |`,
  `| *T* × ⌈*L* ÷ *W*⌉ | at most ${odds.chancesPerHourMax / codes.codesMax} |`,
  `| ${chance(odds.chancesPerHourMax)} |`,
  `| 24 × that | ${chance(odds.chancesPerDayMax)} |`,
  `the owner gets ${mailsPerDay} mails a day`,
  `= ${chancesUnsent} in a million an hour`,
  `| a client: an IPv4 address, the /64 of an IPv6 one | ${attemptsPerClient.quota} |`,
  `| the /56 around it, mostly one household | ${2 * attemptsPerClient.quota} |`,
  `| the /48 around it, or the /24 of an IPv4 address | ${siteAttempts} |`,
  `| everybody | ${count(attemptsGlobal.quota)} |`,
  `one client has ${attemptsPerClient.quota * odds.liveCodesMax} chances in a million an hour`,
  `${count(siteChances)} in a million, 1 account in ${Math.round(1_000_000 / siteChances)} hours`,
  `${count(chancesOfAll)} in a million, 1 account in ${1_000_000 / chancesOfAll} hours`,
  `controls more than ${Math.floor(attemptsGlobal.quota / siteAttempts)} networks of that size and sends ${count(codesGlobal.quota)} mails an hour`,
  `for each code too, ${ofSite(codesPerClient.quota)} an hour for a /48`,
  `${count(reserve)} such networks have to attack`,
  `after ${siteGuesses} wrong codes for a mailbox in a day`,
  `at most ${limits.codesPerMailbox.quota} mails an hour, and all spellings through one /48 or /24 at most ${siteMails} a day`,
  `${ofSite(codesPerClient.quota)} mails an hour for a /48`,
  `usernames ${limits.usernamesPerUser.quota} times an hour to a user and ${attemptsPerClient.quota} to a client`,
  `guesses at one address, at most ${siteGuesses + earnedPerHour} and ${siteGuesses + siteMails} |`,
  `in a million, at most ${odds.chancesPerHourMax} and ${siteMails * codes.attemptsMax} |`,
  `at most ${siteWrongCodes / codes.attemptsMax} and ${count((24 * siteWrongCodes) / codes.attemptsMax)} locked addresses`,
  `of 200 guesses at once exactly ${codes.attemptsMax} are compared`,
  `The fifth wrong code locks the address for ${minutes(codes.lockMs)}, the second time for ${minutes(2 * codes.lockMs)}, from the third on for ${hours(codes.lockMsMax)}`,
  `An attacker who enters ${codes.attemptsMax} wrong codes after each lock`,
  `can lock ${attemptsPerClient.quota / codes.attemptsMax} addresses an hour, or ${(attemptsPerClient.quota + codesPerClient.quota) / codes.attemptsMax} by requesting codes too`,
  `At most ${codes.codesMax} different mails an hour, ${mailsPerDay} a day`,
  `Within ${minutes(codes.repeatWindowMs)} another request repeats the same mail, which is not sent twice; ${codes.repeatsMax} repeats are accepted`,
  `After ${codes.codesMax} codes the owner gets no new one until the first is an hour old; those already sent are valid for ${minutes(codes.lifetimeMs)} each`,
  `of the ${count(codesGlobal.quota)} codes an hour (\`AUTH_CODES_GLOBAL\`)`,
  `of the ${count(attemptsGlobal.quota)} wrong ones (\`AUTH_ATTEMPTS_GLOBAL\`)`,
  `Of networks of ${siteAttempts} an hour it takes at least ${Math.ceil((attemptsGlobal.quota - reserve) / siteAttempts)} for the first three quarters, and ${codesGlobal.quota / 4 / 5} others`,
  `${days(sessions.idleMs)} days from the last use, at most ${days(sessions.lifetimeMs)}`,
  `It lasts ${days(sessions.lifetimeMs)} days`,
  `after ${minutes(codes.lifetimeMs)} (\`AUTH_CODE_LIFETIME\`) remove the latter`,
  `${minutes(codes.lifetimeMs)} later remove \`AUTH_SECRET_PREVIOUS\``,
  `share its ${codesPerClient.quota} codes an hour`,
  `the fifth locks the device for ${minutes(codes.lockMs)}, the tenth forgets it: at most ${deviceAttempts} from one sign-in`,
  `| code requests | ${codes.codesMax} an hour; all known devices together ${count(codesGlobal.quota)} an hour (\`AUTH_CODES_GLOBAL\`)`,
  `| known devices of an address | at most ${knownDevicesMax};`,
  `| ${days(codes.deviceLifetimeMs)} days from the last sign-in on it (\`AUTH_DEVICE_LIFETIME\`) |`,
  `gives its thief ${deviceAttempts} guesses in all, at up to ${odds.liveCodesMax} live codes each: ${chance(deviceAttempts * odds.liveCodesMax)}`,
  `with all ${knownDevicesMax} devices can receive ${mailsOfDevices} different mails an hour, of which strangers can cause ${codes.codesMax}`,
  `An attacker gets ${codes.attemptsMax} more guesses each time`,
  `at most ${sessions.perUserMax} sessions (\`AUTH_SESSIONS_PER_USER\`)`,
];

describe("docs/security.md", () => {
  test.each(sentences)("says: %s", (sentence) => {
    expect(page).toContain(sentence);
  });

  test.each(guesserRows)("says how far the %s attacker gets: %i and %i", (name, hour, day) => {
    expect(page).toMatch(new RegExp(`\\| ${name}: [^|]+ \\| ${hour} \\| ${day} \\|`));
  });

  const siteRowStarts = {
    guesses: "guesses at one address",
    chances: "chance to hit one of its codes",
    mails: "mails to one address",
    lockedMinutes: "minutes for which it is locked",
    mailboxMails: "mails to one mailbox",
    wrongCodes: "wrong codes against everybody",
    codes: "mails to everybody",
  };

  test.each(siteRows)("says what a /48 of strangers comes to: %s, %i and %i", (what, hour, day) => {
    const start = siteRowStarts[what];
    expect(page).toMatch(new RegExp(`\\| ${start}[^|]* \\| ${count(hour)} \\| ${count(day)} \\|`));
  });

  test("takes the third lock for the longest, as the settings make it", () => {
    expect(4 * codes.lockMs).toBe(codes.lockMsMax);
    expect(codes.attemptsMax).toBe(5); // "the fifth"
    expect(deviceAttempts).toBe(10); // "the tenth"
    expect(codes.lockMemoryMs).toBe(86_400_000); // "a day without a lock"
    for (const [name, { windowMs }] of Object.entries(limits)) {
      expect([name, windowMs]).toEqual([name, (name.includes("NetworkAnd") ? 24 : 1) * 3_600_000]);
    }
  });
});
