import type { EmailEvent } from "../../src/email/event.ts";
import { encodeEmailEvent, eventKey } from "../../src/email/event.ts";
import { makeMails } from "../../support/events.ts";
import { eventually } from "../../support/eventually.ts";
import type { OpenTransaction } from "../../support/kafka-logs.ts";
import { TransactionalProducer, truncateKafkaTopic } from "../../support/kafka-logs.ts";
import type { Played, Stage } from "./stage.ts";
import type { FaultRow } from "./world.ts";

const rounds = 4;

/**
 * Mails in transactions, between those of the load and on one partition with them: committed,
 * aborted, overlapping. The worker finishes everything and stops, retention removes everything, the
 * markers at the end too; then come aborted and committed transactions, and two workers. Only the
 * group's own position, past all of that, tells them where to go on.
 */
export async function retainTransactions(stage: Stage): Promise<Played> {
  const { row, load, worker, world } = stage;
  await using producers = await openProducers(row);
  for (let round = 0; round < rounds; round += 1) await producers.overlap();
  await load.stop();
  await producers.abort();
  await row.untilDrained();
  await worker.stop();
  const removed = await removeAll(world.kafka.brokers, row);
  await producers.overlap();
  await producers.abort();
  row.startWorker();
  row.startWorker();
  await row.untilDrained();
  await producers.overlap();
  await producers.abort();
  await row.untilDrained();
  const { committed, aborted } = producers;
  return {
    events: committed,
    breaches: await findDelivered(row, aborted),
    note: `${committed.length} in committed and ${aborted.length} in aborted transactions, ${removed} records removed`,
  };
}

interface Producers extends AsyncDisposable {
  readonly committed: EmailEvent[];
  readonly aborted: EmailEvent[];
  /** A committed transaction around an aborted one, and the other way round. */
  overlap(): Promise<void>;
  /** Ends the log with an aborted transaction and its marker. */
  abort(): Promise<void>;
}

async function openProducers({ kafkaProxy, eventsTopic }: FaultRow): Promise<Producers> {
  const stack = new AsyncDisposableStack();
  const open = () => TransactionalProducer.open(`127.0.0.1:${kafkaProxy.port}`, eventsTopic);
  const outer = stack.use(await open());
  const inner = stack.use(await open());
  const committed: EmailEvent[] = [];
  const aborted: EmailEvent[] = [];
  const around = async (isOuterCommitted: boolean) => {
    const [outside, inside] = isOuterCommitted ? [committed, aborted] : [aborted, committed];
    const first = await outer.begin();
    await write(first, outside);
    const second = await inner.begin();
    await write(second, inside);
    await write(first, outside);
    await (isOuterCommitted ? second.abort() : second.commit());
    await write(first, outside);
    await (isOuterCommitted ? first.commit() : first.abort());
  };
  return {
    committed,
    aborted,
    overlap: async () => {
      await around(true);
      await around(false);
    },
    abort: async () => {
      const last = await inner.begin();
      await write(last, aborted);
      await last.abort();
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

async function write(transaction: OpenTransaction, into: EmailEvent[]): Promise<void> {
  for (const event of makeMails(2)) {
    into.push(event);
    const decoder = new TextDecoder();
    const key = decoder.decode(eventKey(event));
    await transaction.send([decoder.decode(encodeEmailEvent(event))], key);
  }
}

/** Removes all records of partition 0; the number of them. */
async function removeAll(brokers: string, { eventLog, eventsTopic }: FaultRow): Promise<number> {
  const offsets = async () => (await eventLog.offsets(eventsTopic))[0];
  const before = await offsets();
  const next = before?.next ?? 0;
  await truncateKafkaTopic(brokers, eventsTopic, next);
  await eventually("they are removed", async () => (await offsets())?.earliest === next);
  return next - (before?.earliest ?? 0);
}

/** Aborted mails were never requested: none may even be claimed. */
async function findDelivered({ sink, ledger }: FaultRow, aborted: readonly EmailEvent[]) {
  const breaches: string[] = [];
  for (const { messageId } of aborted) {
    const isKnown = (await ledger.find(messageId)) !== undefined;
    if (isKnown || sink.countByMessageId().has(messageId)) {
      breaches.push(`${messageId}: delivered from an aborted transaction`);
    }
  }
  return breaches;
}
