import type { TLSSocket } from "node:tls";
import type { Clock } from "./clock.ts";
import type { Diagnosis } from "./diagnosis.ts";

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
  { expiresAt, whose, clock }: { expiresAt: number; whose: string; clock: Clock },
): void {
  const days = Math.floor((expiresAt - clock.now()) / dayMs);
  const text = `The certificate of ${whose} is good for ${days} more ${days === 1 ? "day" : "days"}`;
  if (days < daysWarn) diagnosis.warn(check, text, "Renew it before it ends");
  else diagnosis.ok(check, text);
}
