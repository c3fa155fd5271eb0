#!/bin/bash
# Does what `instant create-topics` does, but with Kafka's own tools: creates or verifies the two
# topics; --grow adds partitions to an events topic that has fewer than KAFKA_TOPIC_PARTITIONS.
#
# Variables: KAFKA_BROKERS (localhost:9092), KAFKA_TOPIC_EMAIL_EVENTS (email-events),
# KAFKA_TOPIC_EMAIL_DLQ (email-events-dlq), KAFKA_TOPIC_PARTITIONS (3), KAFKA_REPLICATION_FACTOR (1),
# KAFKA_SSL, KAFKA_CA_FILE, KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD.
# The tools: a folder of Kafka's jars in KAFKA_LIBS (run with java), else KAFKA_HOME, else
# kafka-topics.sh on PATH, else the jars that scripts/servers fetched.
# Exit: 0 done, 1 Kafka is unreachable or refuses, 2 usage.
set -euo pipefail

grow=false
for parameter in "$@"; do
  case "$parameter" in
    --grow) grow=true ;;
    *) echo "usage: scripts/init-kafka-topics.sh [--grow]" >&2; exit 2 ;;
  esac
done

brokers="${KAFKA_BROKERS:-localhost:9092}"
events="${KAFKA_TOPIC_EMAIL_EVENTS:-email-events}"
dlq="${KAFKA_TOPIC_EMAIL_DLQ:-email-events-dlq}"
partitions="${KAFKA_TOPIC_PARTITIONS:-3}"
replication="${KAFKA_REPLICATION_FACTOR:-1}"

day_ms=$((24 * 60 * 60 * 1000))
events_bytes_max=1048588                         # Kafka's own default
dlq_bytes_max=$((events_bytes_max + 64 * 1024))  # a dead letter is its record plus headers

fetched="${XDG_CACHE_HOME:-${HOME:-}/.cache}/instant"
find_tool() {
  local jars
  if [[ -n "${KAFKA_LIBS:-}" ]]; then
    tool=(java -cp "$KAFKA_LIBS/*" org.apache.kafka.tools.TopicCommand)
  elif [[ -n "${KAFKA_HOME:-}" ]]; then
    tool=("$KAFKA_HOME/bin/kafka-topics.sh")
  elif command -v kafka-topics.sh >/dev/null; then
    tool=(kafka-topics.sh)
  else
    for jars in "$fetched"/kafka-*/; do
      [[ -d "$jars" ]] && tool=(java -cp "$jars*" org.apache.kafka.tools.TopicCommand)
    done
  fi
  [[ -n "${tool[*]:-}" ]] && return
  echo "Kafka's tools were not found: put kafka-topics.sh on PATH, or set KAFKA_HOME or KAFKA_LIBS." >&2
  exit 1
}

# A password belongs in a file that only we can read, not on a command line.
write_settings() {
  local protocol=PLAINTEXT mechanism="${KAFKA_SASL_MECHANISM:-none}"
  local module=org.apache.kafka.common.security.scram.ScramLoginModule
  [[ "${KAFKA_SSL:-false}" =~ ^(true|1)$ ]] && protocol=SSL
  [[ "$mechanism" == plain ]] && module=org.apache.kafka.common.security.plain.PlainLoginModule
  echo "request.timeout.ms=5000"
  echo "default.api.timeout.ms=10000"
  if [[ "$mechanism" != none ]]; then
    protocol="SASL_$protocol"
    echo "sasl.mechanism=${mechanism^^}"
    echo "sasl.jaas.config=$module required username=\"${KAFKA_SASL_USERNAME:-}\" password=\"${KAFKA_SASL_PASSWORD:-}\";"
  fi
  echo "security.protocol=$protocol"
  if [[ -n "${KAFKA_CA_FILE:-}" ]]; then
    echo "ssl.truststore.type=PEM"
    echo "ssl.truststore.location=$KAFKA_CA_FILE"
  fi
}

kafka_topics() { "${tool[@]}" --bootstrap-server "$brokers" --command-config "$settings" "$@"; }

# Runs the tool and prints its output only when it fails.
run_quietly() {
  local output
  output="$(kafka_topics "$@" 2>&1)" || { echo "✗ $output" >&2; exit 1; }
}

create_or_verify() {
  local topic="$1" wanted="$2" retention_ms="$3" bytes_max="$4" described size
  if [[ " ${existing//$'\n'/ } " != *" $topic "* ]]; then
    run_quietly --create --topic "$topic" --partitions "$wanted" --replication-factor "$replication" \
      --config "retention.ms=$retention_ms" --config "max.message.bytes=$bytes_max"
    echo "✓ Topic '$topic' created successfully"
    return
  fi
  described="$(kafka_topics --describe --topic "$topic" 2>/dev/null)"
  [[ "$described" =~ PartitionCount:[[:space:]]*([0-9]+) ]] && size="${BASH_REMATCH[1]}"
  if [[ "$grow" == true ]] && ((size < wanted)); then
    run_quietly --alter --topic "$topic" --partitions "$wanted"
    echo "✓ Topic '$topic' grown to $(count_partitions "$wanted")"
    size="$wanted"
  else
    echo "✓ Topic '$topic' already exists ($(count_partitions "$size"))"
  fi
  ((size == wanted)) || echo "  ! has $size partitions instead of $wanted"
  [[ "$described" == *"retention.ms=$retention_ms"* ]] ||
    echo "  ! does not keep records $((retention_ms / day_ms * 24))h"
  [[ "$described" == *"max.message.bytes=$bytes_max"* ]] ||
    echo "  ! does not take records up to $bytes_max bytes"
}

count_partitions() { [[ "$1" == 1 ]] && echo "1 partition" || echo "$1 partitions"; }

find_tool
settings="$(mktemp)"
trap 'rm -f "$settings"' EXIT
write_settings >"$settings"

rule="============================================================"
echo "$rule"
echo "Kafka Topic Initialization"
echo "$rule"
echo "Kafka Brokers: $brokers"
echo "Email Events Topic: $events"
echo "DLQ Topic: $dlq"
echo "Partitions: $partitions"
echo "Replication Factor: $replication"
echo "$rule"
echo
echo "Connecting to Kafka..."
if ! existing="$(kafka_topics --list 2>/dev/null)"; then
  echo "✗ Failed to connect to Kafka at $brokers" >&2
  exit 1
fi
echo "✓ Connected to Kafka"
echo
echo "Creating topics..."
create_or_verify "$events" "$partitions" $((7 * day_ms)) "$events_bytes_max"
create_or_verify "$dlq" 1 $((30 * day_ms)) "$dlq_bytes_max"
