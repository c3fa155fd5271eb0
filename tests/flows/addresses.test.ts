import { describe, expect, test } from "bun:test";
import { canonicalizeAddresses } from "../../src/auth/users/canonical-addresses.ts";
import type { UserStore } from "../../src/auth/users/user-store.ts";
import { rekeyRecipient } from "../../src/compose/serve-auth.ts";
import { coreErrors, InstantError } from "../../src/core/errors.ts";
import { createLog, silentLog } from "../../src/core/log.ts";
import { recipientKey, recipientKeyOf } from "../../src/email/event.ts";
import { openPageClient } from "../support/page-client.ts";
import { recipientEngines } from "../support/recipient-world.ts";
import { openEmbeddedWorld, problemOf, signInEngines } from "../support/sign-in-world.ts";

const composed = "josé@example.org";
const decomposed = "jose\u0301@example.org";
const wide = "ＵＳＥＲ＠example.org";
const none = async () => {};

describe.each(signInEngines())("an address on %s", (_, open) => {
  test("is one account, however it is spelled", async () => {
    await using world = await open();
    const { user } = await world.signIn(composed);
    for (const email of [
      decomposed,
      "JOSÉ@EXAMPLE.ORG",
      `\u202a${decomposed}\u202c`,
      "ｊｏｓé＠example.org",
    ]) {
      expect((await world.signIn(email)).user["id"]).toBe(user["id"]);
      await world.clock.advance(3_600_000);
    }
    expect(new Set(world.publisher.events.map(({ recipient }) => recipient))).toEqual(
      new Set([composed]),
    );
  });

  test("with an invisible character inside is refused, and the hint says so", async () => {
    await using world = await open();
    for (const path of ["/auth/request-code", "/auth/verify-code"]) {
      const problem = await problemOf(
        await world.post(path, { email: "ana@exam\u200bple.org", code: "123456" }),
      );
      expect(problem).toMatchObject({ status: 422, errors: [{ field: "email" }] });
      expect(JSON.stringify(problem["errors"])).toContain("invisible characters inside");
    }
    const client = openPageClient(world);
    const answer = await client.post("/sign-in", { email: "a\u202ana@example.org" });
    expect(await client.follow(answer)).toContain("a space or an invisible character in it");
    expect(world.publisher.events).toHaveLength(0);
  });

  test("that only a URL parser would read is refused", async () => {
    await using world = await open();
    for (const email of [
      "ana@example.org/x",
      "ana@example.org#.corp.com",
      "a%b@example.org",
      "b!a@example.org",
    ]) {
      expect((await world.post("/auth/request-code", { email })).status).toBe(422);
    }
    expect(world.publisher.events).toHaveLength(0);
  });

  test("at localhost is for developers, and refused in production", async () => {
    await using world = await open();
    await world.signIn("root@localhost");
    const production = world.restart({ refusesLocalhost: true });
    const mails = world.publisher.events.length;
    for (const email of ["root@localhost", "Root@Mail.LOCALHOST", "root@localhost.localdomain"]) {
      const problem = await problemOf(await production.post("/auth/request-code", { email }));
      expect(problem).toMatchObject({
        status: 422,
        errors: [{ field: "email", message: "must not be at localhost" }],
      });
    }
    const { token } = await production.signIn("ana@example.org");
    const moved = await production.request("/users/me/email", {
      method: "POST",
      body: { email: "root@localhost" },
      token,
    });
    expect(moved.status).toBe(422);
    expect(world.publisher.events).toHaveLength(mails);
    expect(production.publisher.events.map(({ recipient }) => recipient)).not.toContain(
      "root@localhost",
    );
  });

  test("of an earlier release is rewritten in canonical form, and merged with no other", async () => {
    await using world = await open();
    const { users } = world.stores;
    const create = async (email: string) =>
      (await users.signIn({ email, username: undefined })).user;
    const plain = await create("ana@example.org");
    const free = await create("rene\u0301@example.org");
    const first = await create(composed);
    const second = await create(decomposed);
    const twins = [await create("ｍｉｋｉ@example.org"), await create("ｍiki@example.org")];
    const spoilt = await create("\u0301ana@example.org");
    const lines: Record<string, unknown>[] = [];
    const log = createLog({
      service: "auth",
      level: "info",
      write: (line) => lines.push(JSON.parse(line) as Record<string, unknown>),
    });
    const rewritten: string[] = [];
    const onRewritten = async ({ from, to }: { from: string; to: string }) => {
      rewritten.push(`${from} ${to}`);
    };
    for (const count of [2, 0]) {
      lines.length = 0;
      await canonicalizeAddresses({ users, log, onRewritten });
      expect(rewritten.splice(0)).toHaveLength(count);
      const warned = lines.filter(({ level }) => level === "warn");
      expect(warned.map(({ msg }) => msg).toSorted()).toEqual([
        "A user's address is not valid any more",
        "Two users have the same address",
        "Two users have the same address",
      ]);
      expect(lines.filter(({ msg }) => String(msg).startsWith("Addresses"))).toHaveLength(
        count / 2,
      );
      expect(JSON.stringify(lines)).not.toContain("example.org");
    }
    const ids = lines.map(({ userId, otherUserId }) => [userId, otherUserId]);
    expect(ids).toContainEqual([second.id, first.id]);
    expect(ids).toContainEqual([spoilt.id, undefined]);
    expect(await users.findByEmail("rené@example.org")).toEqual({
      ...free,
      email: "rené@example.org",
    });
    for (const user of [plain, first, second, spoilt]) {
      expect(await users.findById(user.id)).toEqual(user);
    }
    const renamed = await users.findByEmail("miki@example.org");
    expect(twins.map(({ id }) => id)).toContain(renamed?.id ?? "");
    expect((await world.signIn("rene\u0301@example.org")).user["id"]).toBe(free.id);
  });
});

describe.each(recipientEngines())("what is stored under an address on %s", (_, open) => {
  test("is found after the address was rewritten in canonical form", async () => {
    await using opened = await open();
    const { world, preferences, suppressions } = opened;
    const { users } = world.stores;
    await users.signIn({ email: decomposed, username: undefined });
    const entry = { reason: "manual", note: "x", createdAt: 1, expiresAt: undefined } as const;
    const oldKey = recipientKeyOf(decomposed);
    await preferences.change(oldKey, { welcome: false });
    await suppressions.add([{ ...entry, key: oldKey, address: decomposed }]);
    const stores = { preferences, suppressions };
    const onRewritten = rekeyRecipient(stores, silentLog);
    await canonicalizeAddresses({ users, log: silentLog, onRewritten });
    const key = recipientKey(composed);
    expect([...(await preferences.findDeclined([key, oldKey])).keys()]).toEqual([key]);
    expect([...(await suppressions.find([key, oldKey])).values()]).toEqual([
      { ...entry, key, address: composed },
    ]);
  });
});

test("while the users cannot be read, the addresses are left to the next start", async () => {
  const lines: string[] = [];
  const log = createLog({ service: "auth", level: "info", write: (line) => lines.push(line) });
  const unavailable = () => Promise.reject(new InstantError(coreErrors.sqliteBusy));
  const users: Pick<UserStore, "findBeyondAscii" | "findByEmail" | "setEmail"> = {
    findBeyondAscii: unavailable,
    findByEmail: unavailable,
    setEmail: unavailable,
  };
  await canonicalizeAddresses({ users, log, onRewritten: none });
  expect(lines.join()).toContain("Stored addresses could not be checked");
});

test("a code in other digits, or in a whole text, is entered on the page", async () => {
  await using world = await openEmbeddedWorld();
  const client = openPageClient(world);
  const spell = (zero: number) =>
    [...world.publisher.code].map((digit) => String.fromCodePoint(zero + Number(digit))).join("");
  for (const write of [
    () => spell(0x660),
    () => spell(0x6f0),
    () => spell(0xff10),
    () => `Your code is ${world.publisher.code}, valid for 10 minutes. ${"Regards. ".repeat(50)}`,
  ]) {
    await client.post("/sign-in", { email: wide });
    const answer = await client.post("/sign-in/code", { code: write() });
    expect(answer.headers.get("Location")).toBe("/account");
    await client.post("/sign-out");
    await world.clock.advance(3_600_000);
  }
});

test("a text with two codes is not guessed at", async () => {
  await using world = await openEmbeddedWorld();
  const client = openPageClient(world);
  await client.post("/sign-in", { email: "ana@example.org" });
  const answer = await client.post("/sign-in/code", { code: `${world.publisher.code} 000000` });
  expect(await client.follow(answer)).toContain("The code has six digits.");
});
