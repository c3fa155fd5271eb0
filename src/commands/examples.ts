/** Examples by command. Each example runs as shown when the settings fit. */
export const examples: Readonly<Record<string, readonly string[]>> = {
  instant: ["instant dev", "instant --env-file .env serve-email", "instant replay-dlq --help"],
  "instant serve-auth": [
    "instant serve-auth",
    "AUTH_SERVICE_PORT=9000 instant --env-file .env serve-auth",
  ],
  "instant serve-email": [
    "instant serve-email",
    "EMAIL_MODE=smtp instant --env-file .env serve-email",
  ],
  "instant dev": ["instant dev", "AUTH_SERVICE_PORT=0 EMAIL_SERVICE_PORT=0 instant dev"],
  "instant create-topics": [
    "instant create-topics",
    "KAFKA_TOPIC_PARTITIONS=10 instant create-topics --grow",
    "instant create-topics --json",
  ],
  "instant replay-dlq": [
    "instant replay-dlq --from-offset --dry-run",
    "instant replay-dlq --class smtp_unavailable,retries_exhausted --since 6h --yes",
    "instant replay-dlq --recipient ana@example.com --limit 1",
    "instant replay-dlq --from-offset 120 --partition 0 --yes --json",
  ],
  "instant suppressions": ["instant suppressions list", "instant suppressions list --help"],
  "instant suppressions list": [
    "instant suppressions list --reason bounced --limit 20",
    "instant suppressions list --address ana@example.com --json",
  ],
  "instant suppressions add": [
    'instant suppressions add ana@example.com --note "asked by phone"',
    "instant suppressions add ana@example.com bo@example.com --reason complained --for 720h",
  ],
  "instant suppressions remove": ["instant suppressions remove ana@example.com"],
  "instant suppressions import": [
    "instant suppressions import bounced.csv",
    "instant suppressions import - < bounced.csv",
  ],
  "instant suppressions export": [
    "instant suppressions export suppressed.csv",
    "instant suppressions export | wc -l",
  ],
  "instant send-test": [
    "instant --env-file .env send-test --to you@example.com",
    "instant send-test --to you@example.com --type welcome --locale es --json",
  ],
  "instant healthcheck": [
    "instant healthcheck",
    "instant healthcheck http://localhost:8080/readyz",
  ],
  "instant preview": ["instant preview", "instant preview --port 0"],
  "instant doctor": ["instant doctor", "instant --env-file .env doctor --json"],
  "instant unlock": ["instant unlock ana@example.com", "instant unlock ana@example.com --json"],
  "instant trace": [
    "instant trace 018f3a5e-7d1c-4a52-9c7e-1f2d3c4b5a69",
    "instant trace ana@example.com --follow",
  ],
};
