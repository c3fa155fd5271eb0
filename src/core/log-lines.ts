/**
 * Log lines for a person at a terminal: `12:00:00.000 INFO  auth-service Signed in  userId=…`. The
 * phrase and all fields stay as they are in the JSON; text of several lines stands below its line.
 */
export function formatLogLine(json: string, { colour }: { readonly colour: boolean }): string {
  const { level, time, service, msg, ...fields } = JSON.parse(json) as LogFields;
  const paint = colour ? (code: number, text: string) => `\x1b[${code}m${text}\x1b[0m` : plain;
  const entries = Object.entries(fields);
  const short = entries.filter(([, value]) => !isLong(value));
  const pairs = short.map(([name, value]) => `${paint(dim, `${name}=`)}${show(value)}`);
  const words = [
    paint(dim, String(time).slice(11, 23)),
    paint(levelColours[String(level)] ?? dim, String(level).toUpperCase().padEnd(5)),
    paint(dim, String(service)),
    paint(bold, String(msg)),
    ...(pairs.length > 0 ? [` ${pairs.join(" ")}`] : []),
  ];
  const long = entries.filter(([, value]) => isLong(value));
  const blocks = long.map(([name, value]) => `  ${name}:\n${indent(String(value))}\n`);
  return `${words.join(" ")}\n${blocks.join("")}`;
}

type LogFields = Readonly<Record<string, unknown>>;

const [bold, dim] = [1, 2];
const levelColours: Readonly<Record<string, number>> = { info: 32, warn: 33, error: 31 };

function plain(_code: number, text: string): string {
  return text;
}

function isLong(value: unknown): boolean {
  return typeof value === "string" && value.includes("\n");
}

/** A text without spaces as it is, all else as JSON: nothing in it can move the cursor. */
function show(value: unknown): string {
  return typeof value === "string" && /^[!-~]+$/.test(value) ? value : JSON.stringify(value);
}

/** Control characters other than the line ends are left out. */
function indent(text: string): string {
  const lines = text.trimEnd().split(/\r?\n/);
  return lines.map((line) => `    ${line.replace(/\p{Cc}/gu, "")}`).join("\n");
}
