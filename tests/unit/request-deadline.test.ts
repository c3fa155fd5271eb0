import { expect, test } from "bun:test";
import { createAuthKeys } from "../../src/auth/auth-deps.ts";
import type { CodeStore } from "../../src/auth/codes/code-store.ts";
import type { Limits } from "../../src/auth/limits/limits.ts";
import { requestCode } from "../../src/auth/request-code.ts";
import { silentLog } from "../../src/core/log.ts";
import { DirectDelivery, EventPublisher } from "../../src/email/delivery/publisher.ts";
import type { DeliveryLedger } from "../../src/email/ledger/delivery-ledger.ts";
import { codePolicyDefault, limitPolicyDefault } from "../../support/settings.ts";
import { FakeClock } from "../support/fake-clock.ts";

test("a request is answered within 12 s of its start, also where the stores are slow", async () => {
  const clock = new FakeClock();
  const givenBack: string[] = [];
  const slowly = async <T>(answer: T): Promise<T> => {
    await clock.sleep(1900);
    return answer;
  };
  const code = { messageId: "m1", timestamp: clock.now(), expiresAt: clock.now() + 600_000 };
  const keys = createAuthKeys("a secret that is long enough for tests, really", undefined);
  const issued = { ...code, keyId: keys.current.id, data: '{"expires_in":"10m"}' };
  const codes = {
    policy: codePolicyDefault,
    prepare: () => ({ issue: () => slowly({ kind: "issued", code: issued }) }),
    refund: () => slowly(undefined).then(() => givenBack.push("code")),
  } as unknown as CodeStore;
  const limits = {
    take: () => slowly({ kind: "taken" }),
    giveBack: () => slowly(undefined).then(() => givenBack.push("budget")),
  } as unknown as Limits;
  const pipeline = () => clock.sleep(60_000).then(() => ({ kind: "accepted" }) as const);
  const shared = { clock, log: silentLog, ledger: {} as DeliveryLedger };
  const direct = new DirectDelivery({ ...shared, pipeline });
  await using publisher = new EventPublisher({
    ...shared,
    eventLog: undefined,
    topic: "email-events",
    direct,
    drainMs: 0,
  });
  const startedAt = clock.now();
  let answeredAt = 0;
  const answer = requestCode(
    { codes, limits, limitPolicy: limitPolicyDefault, publisher, keys, clock },
    { client: "192.0.2.1", email: "ana@example.com", purpose: "sign_in", locale: undefined },
  ).then((outcome) => {
    answeredAt = clock.now();
    return outcome;
  });
  for (let seconds = 0; seconds < 150; seconds += 1) await clock.advance(100);
  expect(await answer).toMatchObject({ kind: "unavailable" });
  expect(answeredAt - startedAt).toBeLessThanOrEqual(12_000);
  expect(givenBack.toSorted()).toEqual(["budget", "code"]); // the rest of it behind the answer
  await clock.advance(60_000);
});
