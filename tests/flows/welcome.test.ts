import { describe, expect, test } from "bun:test";
import { decodeEmailEvent, encodeEmailEvent } from "../../src/email/event.ts";
import { eventually } from "../../support/eventually.ts";
import type { SignInWorld } from "../support/sign-in-world.ts";
import { signInEngines } from "../support/sign-in-world.ts";

const email = "tess.lee+news@example.com";
const welcomesOf = ({ publisher }: SignInWorld) =>
  publisher.events.filter(({ eventType }) => eventType === "welcome");

describe.each(signInEngines())("the welcome mail on %s", (_, open) => {
  test("goes out with the first sign-in, once", async () => {
    await using world = await open();
    const { user } = await world.signIn(email);
    await world.clock.advance(60_000);
    await world.signIn(email);
    expect(welcomesOf(world)).toEqual([
      {
        messageId: `welcome-${user["id"]}`,
        eventType: "welcome",
        timestamp: Date.UTC(2026, 0, 1),
        recipient: email,
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
    expect(welcomesOf(world)[0]?.data).toEqual({ username: "tess" });
  });

  test("is an event that serve-email takes, however long the address", async () => {
    await using world = await open();
    await world.signIn(`${"x".repeat(64)}@example.com`);
    await world.signIn(`${"ü".repeat(32)}@example.com`);
    const kinds = welcomesOf(world).map((event) => decodeEmailEvent(encodeEmailEvent(event)).kind);
    expect(kinds).toEqual(["event", "event"]);
  });

  test("is left out when it is off", async () => {
    await using world = await open({ welcomes: false });
    await world.signIn(email);
    expect(welcomesOf(world)).toEqual([]);
  });

  test("that nobody takes does not keep anybody from signing in, and is logged", async () => {
    await using world = await open();
    await world.post("/auth/request-code", { email });
    const { code } = world.publisher;
    world.publisher.unavailable = true;
    expect((await world.post("/auth/verify-code", { email, code })).status).toBe(200);
    await eventually("it is logged", () =>
      world.lines.some((line) => line.includes("A notice was not sent")),
    );
  });
});
