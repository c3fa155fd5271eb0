import { unreachable } from "../../../core/errors.ts";
import type { KafkaConnection } from "./client.ts";
import type { BrokerAddress, Knock } from "./knock.ts";

interface KnockFailure {
  readonly text: string;
  readonly mend: string;
}

type FailedKnock = Exclude<Knock, { kind: "broker" }>;

/** What is wrong and the mend, for a knock that no broker answered. */
export function describeKnock(
  knock: FailedKnock,
  { host, port }: BrokerAddress,
  connection: KafkaConnection,
): KnockFailure {
  const address = `${host}:${port}`;
  switch (knock.kind) {
    case "closed":
      return describeClosed(knock.code, knock.reason, { host, port }, connection);
    case "untrusted":
      return knock.code === "CERT_HAS_EXPIRED"
        ? {
            text: `The certificate of ${address} has expired`,
            mend: "Renew the broker's certificate",
          }
        : {
            text: `The certificate of ${address} is not trusted (${knock.code})`,
            mend: "Put its authority into KAFKA_CA_FILE, and use a name of the certificate in KAFKA_BROKERS",
          };
    case "speaks_tls":
      return { text: `${address} speaks TLS only`, mend: "Set KAFKA_SSL=true" };
    case "stranger":
      return { text: `What answers on ${address} is not Kafka`, mend: "Check KAFKA_BROKERS" };
    default:
      return unreachable(knock);
  }
}

/** Why nobody could be reached and the mend, where the socket's code says it. */
export function describeRefused(code: string, { host, port }: BrokerAddress) {
  if (code === "ECONNREFUSED") {
    const mend = "Start it (docker-compose up -d kafka), or check KAFKA_BROKERS";
    return { text: `nothing listens on ${host}:${port}`, mend };
  }
  if (code === "ENOTFOUND" || code.startsWith("EAI_")) {
    const mend = "Check KAFKA_BROKERS, and this machine's DNS";
    return { text: `the name ${host} cannot be resolved`, mend };
  }
  return undefined;
}

function describeClosed(
  code: string,
  reason: string,
  { host, port }: BrokerAddress,
  { ssl }: KafkaConnection,
): KnockFailure {
  const address = `${host}:${port}`;
  const refused = describeRefused(code, { host, port });
  if (refused !== undefined) {
    return { text: `Failed to connect to Kafka: ${refused.text}`, mend: refused.mend };
  }
  if (code.startsWith("ERR_SSL")) {
    return { text: `${address} speaks no TLS`, mend: "Set KAFKA_SSL=false, or use its TLS port" };
  }
  const text = `Failed to connect to Kafka: no answer from ${address} (${reason})`;
  if (code === "ETIMEDOUT") {
    return { text, mend: `Check the network and the firewall: telnet ${host} ${port}` };
  }
  const other = ssl ? "KAFKA_SSL=false, if it speaks no TLS" : "KAFKA_SSL=true, if it speaks TLS";
  return { text, mend: `Check the port in KAFKA_BROKERS; or set ${other}` };
}
