/**
 * Where the real engines are. `scripts/test` starts them and sets these variables; without them a
 * suite that needs one skips with a loud line, or fails when `CI=true`.
 */
const variables = {
  kafka: "TEST_KAFKA_BROKERS", // "127.0.0.1:9092"
  redis: "TEST_REDIS_URL", // "redis://127.0.0.1:6379/0"
  postgres: "TEST_DATABASE_URL", // "postgres://user:password@127.0.0.1:5432/database"
  chromium: "TEST_CHROMIUM", // "/usr/bin/chromium"
  "kafka-jars": "TEST_KAFKA_LIBS", // the folder of Kafka's jars, for a broker of the test's own
  instant: "TEST_INSTANT", // the built program's path
  kcat: "TEST_KCAT", // "/usr/bin/kcat"
  python: "TEST_PYTHON", // a Python with confluent-kafka and kafka-python
  schemathesis: "TEST_SCHEMATHESIS", // "/path/bin/schemathesis"
  go: "TEST_GO_MODULE", // the folder of a Go module that requires franz-go
  postfix: "TEST_POSTFIX", // "/usr/sbin/postconf", beside Postfix's other programs
  pgbouncer: "TEST_PGBOUNCER", // "/usr/sbin/pgbouncer"
  nginx: "TEST_NGINX", // "/usr/sbin/nginx"
  spamassassin: "TEST_SPAMASSASSIN", // "/usr/bin/spamassassin"
  promtool: "TEST_PROMTOOL", // "/usr/bin/promtool"
  prometheus: "TEST_PROMETHEUS", // "/usr/bin/prometheus"
  compose: "TEST_COMPOSE", // "/usr/bin/docker-compose"
} as const;

type Engine = keyof typeof variables;

/** The address of a real engine; undefined: skip what needs it. Throws when `CI=true`. */
export function findEngine(engine: Engine): string | undefined {
  const address = process.env[variables[engine]];
  if (address) return address;
  if (process.env["CI"] === "true") {
    throw new Error(`CI has no ${engine}: ${variables[engine]} is not set`);
  }
  console.warn(`SKIPPED: no ${engine} (set ${variables[engine]}, or run scripts/test)`);
  return undefined;
}
