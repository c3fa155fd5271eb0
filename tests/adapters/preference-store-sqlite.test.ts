import { testPreferenceStore } from "../contract/preference-store.ts";
import { openRecipientStores } from "../support/recipient-stores.ts";

testPreferenceStore("SQLite", async () => {
  const stack = new AsyncDisposableStack();
  const { preferences: store } = await openRecipientStores(undefined, stack, {});
  return { store, [Symbol.asyncDispose]: () => stack.disposeAsync() };
});
