import { coreErrors, InstantError } from "../../src/core/errors.ts";
import { createLog } from "../../src/core/log.ts";
import { RecipientGate } from "../../src/email/delivery/recipient-gate.ts";
import { FakeClock } from "./fake-clock.ts";
import type { RecipientStores } from "./recipient-stores.ts";
import { openRecipientStores } from "./recipient-stores.ts";

interface GateRig extends AsyncDisposable, RecipientStores {
  readonly gate: RecipientGate;
  readonly clock: FakeClock;
  readonly phrases: string[];
  /** The keys of each question to the suppressions and to the preferences. */
  readonly queried: { readonly suppressions: string[][]; readonly preferences: string[][] };
  /** What the stores do when they are asked. */
  stores: "answer" | "fail" | "hang";
}

/** A gate on real stores, between which something can be away. */
export async function openGateRig(): Promise<GateRig> {
  const stack = new AsyncDisposableStack();
  const clock = new FakeClock();
  const stores = await openRecipientStores(undefined, stack, { clock });
  const phrases: string[] = [];
  const write = (line: string) => phrases.push(String(JSON.parse(line).msg));
  const queried = { suppressions: [] as string[][], preferences: [] as string[][] };
  const meet = async (): Promise<void> => {
    if (rig.stores === "fail") throw new InstantError(coreErrors.postgresUnavailable);
    if (rig.stores === "hang") await new Promise(() => {});
  };
  const rig: GateRig = {
    ...stores,
    ...{ clock, phrases, queried, stores: "answer" },
    gate: new RecipientGate({
      clock,
      log: createLog({ service: "test", level: "info", write }),
      suppressions: {
        find: async (keys) => {
          queried.suppressions.push([...keys]);
          await meet();
          return stores.suppressions.find(keys);
        },
      },
      preferences: {
        findDeclined: async (keys) => {
          queried.preferences.push([...keys]);
          await meet();
          return stores.preferences.findDeclined(keys);
        },
      },
    }),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
  return rig;
}
