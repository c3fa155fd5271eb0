/** Where the brokers are and how to speak with them. */
export interface KafkaConnection {
  /** host:port */
  readonly brokers: readonly string[];
  readonly ssl: boolean;
  /** A PEM file; undefined: the authorities of the system. */
  readonly caFile: string | undefined;
  readonly sasl: KafkaSasl | undefined;
  /** Most bytes that are read of a batch, decompressed; left out: 16 MiB. One for the process. */
  readonly batchBytesMax?: number;
}

export interface KafkaSasl {
  readonly mechanism: "plain" | "scram-sha-256" | "scram-sha-512";
  readonly username: string;
  readonly password: string;
}
