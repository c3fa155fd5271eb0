import { coreErrors, InstantError } from "../../src/core/errors.ts";

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
