import { expect, test } from "bun:test";
import { findEngine } from "../../support/engines.ts";
import { eventually } from "../../support/eventually.ts";
import type { DevProcess } from "../support/dev-process.ts";
import { openDevProcess } from "../support/dev-process.ts";

const program = findEngine("instant") ?? "";
const email = "ana@example.com";

function post(url: string, body: object, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
}

const isKept = (dev: DevProcess, kind: string) =>
  dev.process
    .findLogs("Email kept in the inbox")
    .some(({ messageID }) => String(messageID).startsWith(kind));

/** Of a code that has come: in the order in which they were asked for. */
async function nthCode(dev: DevProcess, count: number): Promise<string> {
  return eventually(`code ${count} comes`, () => {
    const texts = dev.process.findLogs("Email kept in the inbox").map(({ text }) => String(text));
    return texts.flatMap((text) => /\b\d{6}\b/.exec(text)?.[0] ?? [])[count - 1];
  });
}

test.skipIf(program === "")("notices reach the inbox of a running program", async () => {
  await using dev = await openDevProcess(program);
  const { authUrl } = dev;
  const signIn = async (count: number, device: string): Promise<string> => {
    await post(`${authUrl}/auth/request-code`, { email });
    const body = { email, code: await nthCode(dev, count) };
    const answer = await post(`${authUrl}/auth/verify-code`, body, { "User-Agent": device });
    return ((await answer.json()) as { token: string }).token;
  };
  await signIn(1, "curl/8");
  const token = await signIn(2, "wget/1");
  await eventually("the notice of the sign-in is kept", () => isKept(dev, "sign-in-notice-"));
  const headers = { Authorization: `Bearer ${token}` };
  await post(`${authUrl}/users/me/email`, { email: "ben@example.org" }, headers);
  const body = { email: "ben@example.org", code: await nthCode(dev, 3) };
  const changed = await post(`${authUrl}/users/me/email/verify`, body, headers);
  expect(changed.status).toBe(200);
  await eventually("the notice of the change is kept", () => isKept(dev, "email-change-"));
  const kept = dev.process.findLogs("Email kept in the inbox");
  expect(kept.at(-1)).toMatchObject({ to: "a***@example.com" });
});
