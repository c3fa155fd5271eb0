import type { ICustomPartitioner, Message } from "kafkajs";
import { Partitioners } from "kafkajs";

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
      const partition = choose(choice);
      this.#partitions.set(choice.message, partition);
      return partition;
    };
  };

  find(message: Message): number | undefined {
    return this.#partitions.get(message);
  }
}
