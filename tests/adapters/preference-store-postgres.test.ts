import { findEngine } from "../../support/engines.ts";
import { testPreferenceStore } from "../contract/preference-store.ts";
import { openRecipientStores } from "../support/recipient-stores.ts";

const url = findEngine("postgres");

if (url !== undefined) {
  testPreferenceStore("Postgres", async () => {
    const stack = new AsyncDisposableStack();
    const { preferences: store } = await openRecipientStores(url, stack, {});
    return { store, [Symbol.asyncDispose]: () => stack.disposeAsync() };
  });
}
