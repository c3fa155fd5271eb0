/** What no log line may hold: a code, a token, a whole address. */
const secrets = [
  { what: "six digits", pattern: /(?<![\w.-])\d{6}(?![\w.-])/ },
  { what: "a token", pattern: /(?<![\w-])[A-Za-z0-9_-]{43}(?![\w-])/ },
  { what: "a whole address", pattern: /[^\s"'<>@,:;*/\\]+@[^\s"'<>@,:;/\\]+\.[a-z]{2,}/i },
] as const;

/** The one field that may hold them: what a mail says, where mails are kept instead of sent. */
const exempt = { msg: "Email kept in the inbox", field: "text" } as const;
/** The call that `instant dev` shows to try, whose address is nobody's. */
const shownCall = /^\s+-d '\{"email": "test@example\.com"\}'$/;

/**
 * The same for all that a process wrote. Of a line of JSON the texts are looked at, wherever they
 * stand: a number is an offset or a time, and a code is never a number.
 */
export function expectNoSecretsIn(output: string): void {
  const lines = output.split("\n").filter((line) => line !== "" && !shownCall.test(line));
  expectNoSecrets(lines.flatMap(textsOf));
}

function textsOf(line: string): readonly string[] {
  if (!line.startsWith("{")) return [line];
  try {
    const fields = JSON.parse(line) as Record<string, unknown>;
    const { [exempt.field]: _, ...others } = fields;
    return textsWithin(fields["msg"] === exempt.msg ? others : fields);
  } catch {
    return [line]; // cut off when the process was killed
  }
}

function textsWithin(value: unknown): readonly string[] {
  if (typeof value === "string") return [value];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, each]) => [name, ...textsWithin(each)]);
}

/** Throws with the line and what is wrong with it, for the first log line that tells a secret. */
export function expectNoSecrets(lines: readonly string[]): void {
  for (const line of lines) {
    const found = secrets.find(({ pattern }) => pattern.test(line));
    if (found !== undefined) throw new Error(`the log tells ${found.what}: ${line}`);
  }
}
