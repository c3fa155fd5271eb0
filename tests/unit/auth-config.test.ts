import { expect, test } from "bun:test";
import {
  authFields,
  checkAuth,
  resolveCodePolicy,
  resolveLimitPolicy,
  resolveSessionPolicy,
} from "../../src/auth/config.ts";
import {
  codePolicyDefault,
  limitPolicyDefault,
  parseConfig,
  sessionPolicyDefault,
} from "../../support/settings.ts";

const parse = (environment: Record<string, string>) =>
  parseConfig({ auth: authFields }, environment).auth;

test("unset variables mean the documented budgets, on this machine alone", () => {
  const values = parse({});
  expect(checkAuth(values)).toEqual([]);
  expect(resolveCodePolicy(values)).toEqual(codePolicyDefault);
  expect(resolveSessionPolicy(values)).toEqual(sessionPolicyDefault);
  expect(resolveLimitPolicy(values)).toEqual(limitPolicyDefault);
  expect(values).toMatchObject({ port: 8080, bind: "127.0.0.1", secret: undefined });
});

test.each([
  ["AUTH_SECRET", "short", "must be at least 32 characters"],
  ["AUTH_CODE_LIFETIME", "2h", "must be a duration from 1m to 1h"],
  ["AUTH_ATTEMPTS_PER_EMAIL", "0", "must be a whole number from 1 to 20"],
  ["AUTH_SERVICE_PORT", "70000", "must be a whole number from 0 to 65535"],
])("%s=%s is refused with its bound", (name, text, problem) => {
  expect(() => parse({ [name]: text })).toThrow(`${name} ${problem}`);
});

test.each([
  ["AUTH_CODE_REPEAT_WINDOW", { AUTH_CODE_REPEAT_WINDOW: "10m" }],
  ["AUTH_LOCK_MAX", { AUTH_LOCK: "2h" }],
  ["AUTH_SESSION_LIFETIME", { AUTH_SESSION_LIFETIME: "24h" }],
  ["AUTH_SECRET_PREVIOUS", { AUTH_SECRET_PREVIOUS: "x".repeat(32) }],
])("%s that does not fit the others is a problem", (name, environment) => {
  expect(checkAuth(parse(environment)).map((problem) => problem.name)).toEqual([name]);
});
