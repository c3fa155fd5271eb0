import { testSuppressionStore } from "../contract/suppression-store.ts";
import { openRecipientStores } from "../support/recipient-stores.ts";

testSuppressionStore("SQLite", async (options) => {
  const stack = new AsyncDisposableStack();
  const { suppressions: store } = await openRecipientStores(undefined, stack, options);
  return { store, [Symbol.asyncDispose]: () => stack.disposeAsync() };
});
