import type { Diagnosis } from "../core/diagnosis.ts";

/** What is chosen, as far as choices depend on each other. */
export interface Setup {
  readonly production: boolean;
  /** Which engines are real; the others are files of this machine. */
  readonly kafka: boolean;
  readonly redis: boolean;
  readonly postgres: boolean;
  /** EMAIL_MODE=smtp */
  readonly sendsMails: boolean;
  /** SMTP_HOST is set. */
  readonly hasSmtpServer: boolean;
  /** PUBLIC_URL is set. */
  readonly hasPublicUrl: boolean;
}

/** Choices that are each allowed and do not go together. */
export function diagnoseSetup(setup: Setup, diagnosis: Diagnosis): void {
  const { kafka, redis, postgres, production } = setup;
  if (kafka && !redis) {
    const text = "Events are on Kafka, and what was sent is noted in a file of this machine only";
    const mend = "Set REDIS_URL, or a second serve-email elsewhere sends the same mails again";
    diagnosis.warn("setup.ledger", text, mend);
  }
  if ((kafka || redis) && !postgres) {
    const text = "Users and preferences are in a file of this machine only";
    diagnosis.warn("setup.users", text, "Set DATABASE_URL before a second machine serves people");
  }
  if (!setup.sendsMails && setup.hasSmtpServer) {
    const text = "SMTP_HOST is set, and EMAIL_MODE=log sends no mail: it keeps them in the inbox";
    diagnosis.warn("setup.mail_mode", text, "Set EMAIL_MODE=smtp to send");
  }
  if (production && !setup.hasPublicUrl) {
    const text = "Mails have no link to unsubscribe, because PUBLIC_URL is not set";
    const mend = "Set it to where people reach serve-auth, such as https://id.example.com";
    diagnosis.warn("setup.public_url", text, mend);
  }
}
