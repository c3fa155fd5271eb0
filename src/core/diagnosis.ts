import type { TLSSocket } from "node:tls";
import type { Clock } from "./time.ts";

/**
 * One result of a diagnostic check. Adapters report them from their `diagnose…` functions. No text
 * ever contains a secret, a code or a full address.
 */
export interface Finding {
  /** warning: works, but badly or not for long. fault: does not work. */
  readonly level: "ok" | "warning" | "fault";
  /** A stable id for programs: "redis.eviction". */
  readonly check: string;
  /** The result, as one sentence without a full stop. */
  readonly text: string;
  /** The fix; every fault and warning has one. */
  readonly fix: string | undefined;
}

/**
 * Collects findings. Open: keeps them, so that nothing found before a deadline is lost. Closed:
 * drops those of abandoned work that still runs.
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
/** Automatic renewal happens earlier than that; for a manual one two weeks are left. */
const daysWarn = 14;

/** When the peer's certificate expires, Unix ms; undefined: it presented none. */
export function readExpiry(socket: TLSSocket): number | undefined {
  const certificate = socket.getPeerCertificate();
  const expiresAt = Date.parse(certificate?.valid_to ?? "");
  return Number.isNaN(expiresAt) ? undefined : expiresAt;
}

/** Warns of a valid certificate that expires soon. */
export function diagnoseExpiry(
  diagnosis: Diagnosis,
  check: string,
  { expiresAt, whose: subject, clock }: { expiresAt: number; whose: string; clock: Clock },
): void {
  const days = Math.floor((expiresAt - clock.now()) / dayMs);
  const text = `The certificate of ${subject} expires in ${days} ${days === 1 ? "day" : "days"}`;
  if (days < daysWarn) diagnosis.warn(check, text, "Renew it before then");
  else diagnosis.ok(check, text);
}
