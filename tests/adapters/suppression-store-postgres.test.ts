import { findEngine } from "../../support/engines.ts";
import { testSuppressionStore } from "../contract/suppression-store.ts";
import { openRecipientStores } from "../support/recipient-stores.ts";

const url = findEngine("postgres");

if (url !== undefined) {
  testSuppressionStore("Postgres", async (options) => {
    const stack = new AsyncDisposableStack();
    const { suppressions: store } = await openRecipientStores(url, stack, options);
    return { store, [Symbol.asyncDispose]: () => stack.disposeAsync() };
  });
}
