import type { ICustomPartitioner, Message } from "kafkajs";
import { Partitioners } from "kafkajs";
import { partitionOfKey } from "../murmur2.ts";

/**
 * The partition of a message, as Java's default: murmur2 of the key, in turn without a key. A
 * message keeps its partition when kafkajs sends it again: asked anew, a keyless one would move,
 * and with the same sequence number the broker would take another message for a duplicate.
 */
export class StickyPartitions {
  readonly #partitions = new WeakMap<Message, number>();

  readonly create: ICustomPartitioner = () => {
    const choose = Partitioners.DefaultPartitioner();
    return (choice) => {
      const known = this.#partitions.get(choice.message);
      if (known !== undefined) return known;
      const { message, partitionMetadata } = choice;
      const { key } = message;
      // kafkajs computes murmur2 with 64-bit integers made of two numbers each: thirty times as long.
      const partition = Buffer.isBuffer(key)
        ? partitionOfKey(key, partitionMetadata.length)
        : choose(choice);
      this.#partitions.set(message, partition);
      return partition;
    };
  };

  find(message: Message): number | undefined {
    return this.#partitions.get(message);
  }
}
