import type { Broker } from "kafkajs";
import type { KafkaClient } from "./client.ts";
import { classifyKafkaError, innermostError } from "./errors.ts";

/** What an ACL can grant, as kafka-acls.sh names it. */
export type KafkaRight =
  | { readonly operation: "Read" | "Write"; readonly resource: "topic"; readonly name: string }
  | {
      readonly operation: "Read";
      readonly resource: "group";
      readonly name: string;
      /** A topic that the group reads. */
      readonly topic: string;
    };

/** No topic has that many. Brokers check the rights before the partition. */
const noPartition = 2_147_483_647;

/**
 * Those of `rights` that this user is denied, found by trying each on a partition that does not
 * exist: nothing is read, written or committed. Throws `log_unavailable`.
 */
export async function findDeniedRights<Right extends KafkaRight>(
  client: KafkaClient,
  rights: readonly Right[],
): Promise<readonly Right[]> {
  const cluster = client.cluster();
  try {
    await cluster.connect();
    await cluster.refreshMetadata();
    const broker = await cluster.findBroker({ nodeId: String(cluster.getNodeIds()[0]) });
    const denied: Right[] = [];
    for (const right of rights) if (await isDenied(broker, right)) denied.push(right);
    return denied;
  } catch (error) {
    throw classifyKafkaError(error);
  } finally {
    await cluster.disconnect().catch(() => {}); // the broker closes the rest
  }
}

async function isDenied(broker: Broker, right: KafkaRight): Promise<boolean> {
  try {
    await tryRight(broker, right);
    return false;
  } catch (error) {
    const { type } = innermostError(error) as { type?: string };
    if (type === undefined) throw error; // not an answer of the broker
    return type === `${right.resource.toUpperCase()}_AUTHORIZATION_FAILED`;
  }
}

async function tryRight(broker: Broker, right: KafkaRight): Promise<void> {
  const { name } = right;
  if (right.resource === "group") {
    const topics = [{ topic: right.topic, partitions: [{ partition: noPartition, offset: "0" }] }];
    await broker.offsetCommit({ groupId: name, groupGenerationId: -1, memberId: "", topics });
  } else if (right.operation === "Write") {
    const partitions = [{ partition: noPartition, messages: [{ value: null }] }];
    await broker.produce({ topicData: [{ topic: name, partitions }] });
  } else {
    const partitions = [{ partition: noPartition, fetchOffset: "0", maxBytes: 1 }];
    await broker.fetch({ maxWaitTime: 0, minBytes: 0, topics: [{ topic: name, partitions }] });
  }
}
