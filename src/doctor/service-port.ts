import type { Diagnosis } from "../core/diagnosis.ts";

const answerTimeoutMs = 3000;

export interface ServicePort {
  /** "serve-email" */
  readonly name: string;
  readonly port: number;
  /** AUTH_SERVICE_PORT or EMAIL_SERVICE_PORT. */
  readonly variable: string;
}

/** Whether the service runs on this machine and what it says of itself; if not, whether it can. */
export async function diagnoseServicePort(
  { name, port, variable }: ServicePort,
  diagnosis: Diagnosis,
): Promise<void> {
  if (port === 0) return; // any free one
  const ready = await ask(`http://127.0.0.1:${port}/readyz`);
  const check = `service.${name}`;
  if (ready === undefined) {
    diagnosis.ok(check, `${name} does not run on port ${port} of this machine`);
  } else if (ready === "stranger") {
    const mend = `End that one, or set ${variable} to another port`;
    diagnosis.fault(check, `Port ${port} of ${name} is taken by another program`, mend);
  } else if (ready.length === 0) {
    diagnosis.ok(check, `${name} runs on port ${port} and is ready`);
  } else {
    const text = `${name} runs on port ${port} and waits: ${ready.join("; ")}`;
    diagnosis.fault(check, text, "Mend what it waits for; it goes on by itself");
  }
}

/** Why it is not ready; empty: it is. Undefined: nothing listens. */
async function ask(url: string): Promise<readonly string[] | "stranger" | undefined> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(answerTimeoutMs) });
    const answer: unknown = await response.json();
    const { status, reasons } = answer as { status?: unknown; reasons?: unknown };
    if (status === "ready") return [];
    if (status !== "not_ready") return "stranger";
    return Array.isArray(reasons) ? reasons.map(String) : ["it does not say for what"];
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    return code === "ConnectionRefused" || code === "ECONNREFUSED" ? undefined : "stranger";
  }
}
