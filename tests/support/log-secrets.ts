/** What no log line may hold: a code, a token, a whole address. */
const secrets = [
  { what: "six digits", pattern: /(?<![\w.-])\d{6}(?![\w.-])/ },
  { what: "a token", pattern: /(?<![\w-])[A-Za-z0-9_-]{43}(?![\w-])/ },
  { what: "a whole address", pattern: /[^\s"'<>@,:;*/\\]+@[^\s"'<>@,:;/\\]+\.[a-z]{2,}/i },
] as const;

/** Throws with the line and what is wrong with it, for the first log line that tells a secret. */
export function expectNoSecrets(lines: readonly string[]): void {
  for (const line of lines) {
    const found = secrets.find(({ pattern }) => pattern.test(line));
    if (found !== undefined) throw new Error(`the log tells ${found.what}: ${line}`);
  }
}
