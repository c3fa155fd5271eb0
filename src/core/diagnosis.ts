import type { TLSSocket } from "node:tls";
import type { Clock } from "./time.ts";

/**
 * What a look at one dependency found, line by line. Adapters fill it in their `diagnose…`
 * functions, whoever runs them prints it. No text ever carries a secret, a code or a full address.
 */
export interface Finding {
  /** warning: it works, but not as well or as long as it should. fault: it does not work. */
  readonly level: "ok" | "warning" | "fault";
  /** For machines, and the same from release to release: "redis.eviction". */
  readonly check: string;
  /** What is so; one sentence without a final stop. */
  readonly text: string;
  /** What to do about it; a fault and a warning always have one. */
  readonly fix: string | undefined;
}

/**
 * Open: takes findings, so that what was found before a deadline is kept. Closed: drops those of
 * work that was given up and goes on.
 */
export class Diagnosis {
  readonly #findings: Finding[] = [];
  #closed = false;

  get findings(): readonly Finding[] {
    return this.#findings;
  }

  ok(check: string, text: string): void {
    this.#add({ level: "ok", check, text, fix: undefined });
  }

  warn(check: string, text: string, fix: string): void {
    this.#add({ level: "warning", check, text, fix });
  }

  fault(check: string, text: string, fix: string): void {
    this.#add({ level: "fault", check, text, fix });
  }

  close(): void {
    this.#closed = true;
  }

  #add(finding: Finding): void {
    if (!this.#closed) this.#findings.push(finding);
  }
}

const dayMs = 24 * 60 * 60 * 1000;
/** Automatic renewals are done by then; people have two weeks. */
const daysWarn = 14;

/** When the certificate that the other side showed ends, Unix ms; undefined: it showed none. */
export function readExpiry(socket: TLSSocket): number | undefined {
  const certificate = socket.getPeerCertificate();
  const expiresAt = Date.parse(certificate?.valid_to ?? "");
  return Number.isNaN(expiresAt) ? undefined : expiresAt;
}

/** How long a certificate that is accepted now stays good. */
export function diagnoseExpiry(
  diagnosis: Diagnosis,
  check: string,
  { expiresAt, whose: subject, clock }: { expiresAt: number; whose: string; clock: Clock },
): void {
  const days = Math.floor((expiresAt - clock.now()) / dayMs);
  const text = `The certificate of ${subject} is good for ${days} more ${days === 1 ? "day" : "days"}`;
  if (days < daysWarn) diagnosis.warn(check, text, "Renew it before it ends");
  else diagnosis.ok(check, text);
}
