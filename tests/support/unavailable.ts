import { expect } from "bun:test";
import { coreErrors, InstantError } from "../../src/core/errors.ts";
import type { StallableProxy } from "../../support/stallable-proxy.ts";
import { problemOf } from "./sign-in-world.ts";

/** How long anything may take to say that an engine is away: 2 s, and some for a busy machine. */
export const unavailableMsMax = 2_500;

/** The same engine, by way of the proxy. */
export function through(url: string, proxy: StallableProxy): string {
  return url.replace(new URL(url).host, `127.0.0.1:${proxy.port}`);
}

/** A 503 problem in time, with `Retry-After`. */
export async function expectUnavailable(answer: Promise<Response>, code: string): Promise<void> {
  const startedAt = performance.now();
  const response = await answer;
  expect(performance.now() - startedAt).toBeLessThan(unavailableMsMax);
  expect(response.headers.get("Retry-After")).toBe("5");
  expect(await problemOf(response)).toMatchObject({ status: 503, code });
}

export type StoreState = "here" | "unavailable" | "faulty";

/** A store whose every call fails while it is away, as when its server is gone, or faulty. */
export function unavailableStore<T extends object>(store: T, state: () => StoreState): T {
  return new Proxy(store, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== "function") return value;
      return (...parameters: unknown[]) => {
        if (state() === "unavailable") {
          return Promise.reject(new InstantError(coreErrors.redisUnavailable));
        }
        if (state() === "faulty") return Promise.reject(new Error("a fault of the test's own"));
        return Reflect.apply(value, target, parameters);
      };
    },
  });
}
