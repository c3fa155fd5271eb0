import { expect, test } from "bun:test";
import { InstantError } from "../../src/core/errors.ts";
import { silentLog } from "../../src/core/log.ts";
import type { DeliveryOutcome } from "../../src/email/delivery/outcome.ts";
import { DirectDelivery, EventPublisher } from "../../src/email/delivery/publisher.ts";
import type { EventLog } from "../../src/email/event-log/event-log.ts";
import { eventLogErrors } from "../../src/email/event-log/event-log.ts";
import type { DeliveryLedger } from "../../src/email/ledger/delivery-ledger.ts";
import { codeEvent } from "../../support/events.ts";
import { FakeClock } from "../support/fake-clock.ts";

test("a log that is silent and a mail server that hangs share one deadline of 12 s", async () => {
  const clock = new FakeClock();
  const unavailable = new InstantError(eventLogErrors.logUnavailable, { detail: "silent" });
  const silent = async () => {
    await clock.sleep(2000);
    throw unavailable;
  };
  const pipeline = async (): Promise<never> => {
    await clock.sleep(60_000);
    throw unavailable;
  };
  const shared = { clock, log: silentLog, ledger: {} as DeliveryLedger };
  await using publisher = new EventPublisher({
    ...shared,
    eventLog: { publish: silent, ping: silent } as unknown as EventLog,
    drainMs: 1000,
    topic: "email-events",
    direct: new DirectDelivery({ ...shared, pipeline }),
  });
  let answeredAt = 0;
  const askedAt = clock.now();
  const answer = publisher.publish(codeEvent()).then((outcome) => {
    answeredAt = clock.now();
    return outcome;
  });
  await clock.advance(20_000);
  expect(await answer).toMatchObject({ kind: "unavailable" });
  expect(answeredAt - askedAt).toBe(12_000);
  await clock.advance(60_000);
});

test("an address that the server is known not to take is reported so, at the first mail and before the next", async () => {
  const known: { offersUtf8: boolean | undefined } = { offersUtf8: undefined };
  let delivered = 0;
  const pipeline = async (): Promise<DeliveryOutcome> => {
    delivered += 1;
    known.offersUtf8 = false; // what the connection heard
    return { kind: "expired" };
  };
  const clock = new FakeClock();
  const shared = { clock, log: silentLog, ledger: {} as DeliveryLedger };
  await using publisher = new EventPublisher({
    ...shared,
    eventLog: undefined,
    topic: "email-events",
    mailer: known,
    drainMs: 0,
    direct: new DirectDelivery({ ...shared, pipeline }),
  });
  const foreign = { ...codeEvent(), recipient: "jörg@example.com" };
  expect(await publisher.publish(foreign)).toEqual({ kind: "unsupported_address" });
  expect(await publisher.publish(foreign)).toEqual({ kind: "unsupported_address" });
  expect(delivered).toBe(1);
  expect(await publisher.publish(codeEvent())).toMatchObject({ kind: "unavailable" });
});

test("what the direct path was told last is the answer at its deadline", async () => {
  const clock = new FakeClock();
  const down = { kind: "server_down", host: "mx", reason: "it says no" } as const;
  type Known = Awaited<ReturnType<DirectDelivery["deliver"]>>;
  const outcomes: readonly (readonly [DeliveryOutcome, Known])[] = [
    [{ kind: "retry", waitMs: 60_000, cause: "deferred" }, "not_taken"],
    [{ kind: "retry", waitMs: 60_000, cause: "throttled" }, "not_taken"],
    [{ kind: "retry", waitMs: 60_000, cause: "ambiguous" }, "settled"],
    [{ kind: "retry", waitMs: 60_000, cause: "lost" }, "unavailable"],
    [{ kind: "leased", waitMs: 60_000 }, "unavailable"],
    [{ kind: "server_down", down: { ...down, cause: "refusing" }, untilMs: 0 }, "not_taken"],
    [{ kind: "server_down", down: { ...down, cause: "connect" }, untilMs: 0 }, "unavailable"],
    [{ kind: "ledger_unavailable", reason: "gone" }, "unavailable"],
    [{ kind: "buried_before" }, "settled"],
  ];
  for (const [outcome, known] of outcomes) {
    const ledger = { advance: async () => {} } as unknown as DeliveryLedger;
    const pipeline = async () => outcome;
    const direct = new DirectDelivery({ clock, log: silentLog, ledger, pipeline });
    const delivered = direct.deliver(codeEvent());
    await clock.advance(60_000);
    expect(await delivered, JSON.stringify(outcome)).toBe(known);
  }
});
