import { encodeEmailEvent, eventKey } from "../../src/email/event.ts";
import type { OutgoingRecord, RecordHeaders } from "../../src/email/event-log/event-log.ts";
import { codeEvent, welcomeEvent } from "../../support/events.ts";
import type { SeededRandom } from "./seeded-random.ts";

const kept = 200;
const oddValues = [null, 0, -1, 1e308, "", " ", "\u0000", "a\r\nb", "é".repeat(500), [], {}, true];

/** Records as a topic may hold them after years: events, events damaged in every way, and noise. */
export class FuzzedRecords {
  readonly #random: SeededRandom;
  /** Whole events that were made before, for duplicates. */
  readonly #earlier: OutgoingRecord[] = [];

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  next(): OutgoingRecord {
    const random = this.#random;
    const kind = random.below(10);
    if (kind < 4) return this.#event();
    if (kind === 4) return random.pick(this.#earlier) ?? this.#event();
    if (kind === 5) return { ...this.#event(), value: this.#bytes(2000) };
    if (kind === 6) return { ...this.#event(), value: this.#damagedBytes(this.#event().value) };
    if (kind === 7) return { key: null, value: null, headers: this.#headers() };
    return { ...this.#event(), value: this.#damagedJson(this.#event().value) };
  }

  #event(): OutgoingRecord {
    const random = this.#random;
    const event = random.chance(0.5) ? codeEvent() : welcomeEvent();
    const age = random.pick([0, 0, 0, 30_000, 3_600_000, 48 * 3_600_000]) ?? 0;
    const aged = {
      ...event,
      timestamp: event.timestamp - age,
      expiresAt: event.expiresAt === undefined ? undefined : event.expiresAt - age,
    };
    const record = {
      key: random.chance(0.8) ? eventKey(event) : (random.pick([null, this.#bytes(40)]) ?? null),
      value: encodeEmailEvent(aged),
      headers: random.chance(0.8) ? [] : this.#headers(),
    };
    this.#earlier[random.below(kept)] = record;
    return record;
  }

  #headers(): RecordHeaders {
    const random = this.#random;
    const names = ["trace", "7", "", "x-instant-replay-count", "kafka_dlt-original-offset", "é"];
    return Array.from({ length: random.below(5) }, () => [
      random.pick(names) ?? "",
      random.chance(0.3) ? null : this.#bytes(20),
    ]);
  }

  #bytes(lengthMax: number): Uint8Array {
    return Uint8Array.from({ length: this.#random.below(lengthMax) }, () =>
      this.#random.below(256),
    );
  }

  /** Some bytes other than they were, some gone, some added. */
  #damagedBytes(value: Uint8Array | null): Uint8Array {
    const bytes = [...(value ?? [])];
    for (let count = this.#random.below(6) + 1; count > 0; count -= 1) {
      const at = this.#random.below(bytes.length);
      const change = this.#random.below(3);
      bytes.splice(at, change === 2 ? 0 : 1, ...(change === 0 ? [] : [this.#random.below(256)]));
    }
    return Uint8Array.from(bytes);
  }

  /** Still JSON, with a field that is missing, odd, or much too long. */
  #damagedJson(value: Uint8Array | null): Uint8Array {
    const random = this.#random;
    const event = JSON.parse(new TextDecoder().decode(value ?? new Uint8Array())) as Record<
      string,
      unknown
    >;
    const inData = random.chance(0.4);
    const target = inData ? (event["data"] as Record<string, unknown>) : event;
    const field = random.pick(Object.keys(target)) ?? "message_id";
    const change = random.below(4);
    if (change === 0) delete target[field];
    else if (change === 1) target[field] = random.pick(oddValues);
    else if (change === 2) target[field] = "x".repeat(random.below(300_000));
    else target[`extra${random.below(9)}`] = random.pick(oddValues);
    return new TextEncoder().encode(JSON.stringify(event));
  }
}
