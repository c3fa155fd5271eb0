import { describe, expect, test } from "bun:test";
import { limitedAttempt, limitedCode } from "../../src/auth/limits/limits.ts";
import { mailboxOf } from "../../src/auth/limits/mailbox.ts";
import { isReservedUsername } from "../../src/auth/users/reserved-usernames.ts";
import { limitPolicyDefault } from "../../support/settings.ts";

describe("the mailbox of an address", () => {
  test.each([
    ["ana@example.com", "ana@example.com"],
    ["ana+shop@example.com", "ana@example.com"],
    ["ana+a+b@example.com", "ana@example.com"],
    ["+shop@example.com", "+shop@example.com"],
    ["a.na@example.com", "a.na@example.com"],
    ["a.n.a+shop@gmail.com", "ana@gmail.com"],
    ["a.na@googlemail.com", "ana@gmail.com"],
    ["a_n-a.b@pm.me", "anab@proton.me"],
    ["a_n-a@protonmail.com", "ana@proton.me"],
    ["ana.lee@ya.ru", "analee@yandex.ru"],
    ["ana-lee@yandex.com", "analee@yandex.ru"],
    ["ana@me.com", "ana@icloud.com"],
    ["shop@ana.fastmail.com", "ana@fastmail.com"],
    ["ana+shop@fastmail.com", "ana@fastmail.com"],
    ["ana@sub.gmail.com", "ana@sub.gmail.com"],
  ])("of %s is %s", (email, mailbox) => {
    expect(mailboxOf(email)).toBe(mailbox);
  });
});

describe("the networks around a client", () => {
  const subjectsOf = (client: string) => {
    const { limits } = limitedCode(limitPolicyDefault, { client, email: "ana@example.com" });
    return limits
      .filter(({ scope }) => /-per-(?:client|network)$/.test(scope))
      .map(({ subject, quota }) => `${subject}: ${quota}`);
  };

  test.each([
    ["192.0.2.7", ["192.0.2.7: 60", "192.0.2.0/24: 600"]],
    [
      "2001:db8:1:2ff::/64",
      ["2001:db8:1:2ff::/64: 60", "2001:db8:1:200::/56: 120", "2001:db8:1::/48: 600"],
    ],
    [
      "2001:db8:0:0::/64",
      ["2001:db8:0:0::/64: 60", "2001:db8:0:0::/56: 120", "2001:db8:0::/48: 600"],
    ],
    ["unknown", ["unknown: 60"]],
  ])("%s", (client, subjects) => {
    expect(subjectsOf(client)).toEqual(subjects);
  });

  test("an attempt is earned by the codes for any spelling of the mailbox, in the same network", () => {
    const earner = (client: string, email: string) =>
      limitedAttempt(limitPolicyDefault, { client, email }).earnedBy?.subject;
    const subject = "192.0.2.0/24 ana@gmail.com";
    expect(earner("192.0.2.7", "a.na@gmail.com")).toBe(subject);
    const { limits } = limitedCode(limitPolicyDefault, {
      client: "192.0.2.200",
      email: "ana+x@googlemail.com",
    });
    expect(limits.map((limit) => limit.subject)).toContain(subject);
  });
});

describe("reserved usernames", () => {
  test.each(["admin", "Root", "SUPPORT", "no-reply", "post.master", "a_d_m_i_n", "acme", "ac.me"])(
    "%s is",
    (username) => {
      expect(isReservedUsername(username, ["Acme"])).toBe(true);
    },
  );

  test.each(["ana", "administer", "rooted", "acmeist"])("%s is not", (username) => {
    expect(isReservedUsername(username, ["acme"])).toBe(false);
  });
});
