import { findEngine } from "../../support/engines.ts";
import { testPreferenceStore } from "../contract/preference-store.ts";
import { openRecipientStores } from "../support/recipient-stores.ts";

const postgres = findEngine("postgres");

/** On Postgres with an address of one, else on SQLite. */
async function open(url: string | undefined) {
  const stack = new AsyncDisposableStack();
  const { preferences: store } = await openRecipientStores(url, stack, {});
  return { store, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

testPreferenceStore("SQLite", () => open(undefined));
if (postgres !== undefined) testPreferenceStore("Postgres", () => open(postgres));
