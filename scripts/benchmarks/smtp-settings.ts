/** Where the mails go, in the clear; all else is as it is by default. */
export function smtpTo({ port }: { readonly port: number }): Record<string, string> {
  return {
    EMAIL_MODE: "smtp",
    SMTP_HOST: "127.0.0.1",
    SMTP_PORT: String(port),
    SMTP_TLS: "none",
    SMTP_FROM: "noreply@example.com",
  };
}
