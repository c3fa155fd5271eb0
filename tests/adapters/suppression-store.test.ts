import { findEngine } from "../../support/engines.ts";
import type { OpenSuppressionStore } from "../contract/suppression-store.ts";
import { testSuppressionStore } from "../contract/suppression-store.ts";
import { openRecipientStores } from "../support/recipient-stores.ts";

const postgres = findEngine("postgres");

/** On Postgres with an address of one, else on SQLite. */
function openOn(url: string | undefined): OpenSuppressionStore {
  return async (options) => {
    const stack = new AsyncDisposableStack();
    const { suppressions: store } = await openRecipientStores(url, stack, options);
    return { store, [Symbol.asyncDispose]: () => stack.disposeAsync() };
  };
}

testSuppressionStore("SQLite", openOn(undefined));
if (postgres !== undefined) testSuppressionStore("Postgres", openOn(postgres));
