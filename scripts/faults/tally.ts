import { readLetter } from "../../src/email/dead-letters/selection.ts";
import type { EmailEvent } from "../../src/email/event.ts";
import type { ServiceRig } from "../../tests/support/service-rig.ts";

/** What became of the mails of a row. */
export interface Tally {
  readonly mails: number;
  /** Neither accepted nor a dead letter nor expired. */
  readonly lost: number;
  readonly once: number;
  readonly twice: number;
  /** Dead letters by class. */
  readonly parked: ReadonlyMap<string, number>;
  /** Sent twice though they were no living code in `submitting` when the fault came: none may be. */
  readonly unexplained: readonly string[];
}

/** `mayRepeat`: ids of the mails whose answer was awaited when the fault came. */
export async function countMails(
  rig: ServiceRig,
  events: readonly EmailEvent[],
  mayRepeat: ReadonlySet<string>,
): Promise<Tally> {
  const accepted = rig.sink.countByMessageId();
  const letters = await readLetters(rig);
  const parked = new Map<string, number>();
  for (const each of letters.values()) parked.set(each, (parked.get(each) ?? 0) + 1);
  const timesOf = ({ messageId }: EmailEvent) => accepted.get(messageId) ?? 0;
  let lost = 0;
  for (const event of events) {
    if (timesOf(event) > 0 || letters.has(event.messageId)) continue;
    const record = await rig.ledger.find(event.messageId);
    if (record?.state !== "expired") lost += 1;
  }
  const isExplained = (event: EmailEvent) =>
    timesOf(event) < 2 ||
    (timesOf(event) === 2 &&
      event.eventType === "verification_code" &&
      mayRepeat.has(event.messageId));
  return {
    mails: events.length,
    lost,
    once: events.filter((event) => timesOf(event) === 1).length,
    twice: events.filter((event) => timesOf(event) > 1).length,
    parked,
    unexplained: events.filter((event) => !isExplained(event)).map(({ messageId }) => messageId),
  };
}

export function addTallies(tallies: readonly Tally[]): Tally {
  const sum = (pick: (tally: Tally) => number) =>
    tallies.reduce((total, tally) => total + pick(tally), 0);
  const parked = new Map<string, number>();
  for (const tally of tallies) {
    for (const [name, count] of tally.parked) parked.set(name, (parked.get(name) ?? 0) + count);
  }
  return {
    mails: sum(({ mails }) => mails),
    lost: sum(({ lost }) => lost),
    once: sum(({ once }) => once),
    twice: sum(({ twice }) => twice),
    parked,
    unexplained: tallies.flatMap(({ unexplained }) => unexplained),
  };
}

/** Mails whose answer is awaited now. */
export async function findSubmitting(
  rig: ServiceRig,
  events: readonly EmailEvent[],
): Promise<Set<string>> {
  const records = await Promise.all(events.map(({ messageId }) => rig.ledger.find(messageId)));
  return new Set(
    records.flatMap((record) => (record?.state === "submitting" ? [record.messageId] : [])),
  );
}

/** Class by message_id; a letter that was written twice counts once. */
async function readLetters(rig: ServiceRig): Promise<Map<string, string>> {
  const letters = new Map<string, string>();
  const topic = `${rig.eventsTopic}-dlq`;
  for (const { partition, earliest, next } of await rig.eventLog.offsets(topic)) {
    const range = { topic, partition, from: earliest, to: next };
    for await (const record of rig.eventLog.readRange(range)) {
      const { messageId, facts } = readLetter(record);
      letters.set(messageId ?? `${record.offset}`, facts.class ?? "unknown");
    }
  }
  return letters;
}
