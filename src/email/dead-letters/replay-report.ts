import { maskEmail } from "../../core/log.ts";
import type { Histogram, Letter } from "./replay-plan.ts";

/** The plan as lines of a table: class, letters, to replay, and why the others are skipped. */
export function histogramLines(histogram: Histogram): readonly string[] {
  const rows = [...histogram]
    .toSorted(([, a], [, b]) => b.letters - a.letters)
    .map(([name, { letters, replay, skipped }]) => {
      const reasons = [...skipped].map(([why, count]) => `${count} ${why}`).join(", ");
      return [name, String(letters), String(replay), reasons] as const;
    });
  const table = [["class", "letters", "to replay", "skipped"] as const, ...rows];
  const width = (column: number) => Math.max(...table.map((row) => (row[column] ?? "").length));
  const [first, second, third] = [width(0), width(1), width(2)];
  return table.map(([name, letters, replay, skipped]) =>
    `  ${name.padEnd(first)}  ${letters.padStart(second)}  ${replay.padStart(third)}  ${skipped}`.trimEnd(),
  );
}

/** One line a letter: where it lies, its class, its mail, and the reason. */
export function letterLines(letters: readonly Letter[]): readonly string[] {
  return letters.map((letter) => {
    const { partition, offset, className, messageId, recipient, reason } = letterJson(letter);
    const mail = [messageId, recipient].filter((part) => part !== undefined).join(" to ");
    return `  ${partition}/${offset}  ${className}  ${mail === "" ? "" : `${mail}  `}${reason}`;
  });
}

/** The same for `--json`; the recipient is masked. */
export function letterJson({ record, facts, messageId, recipient }: Letter) {
  return {
    partition: record.partition,
    offset: record.offset,
    className: facts.class ?? "unknown",
    messageId,
    recipient: recipient === undefined ? undefined : maskEmail(recipient),
    reason: facts.reason ?? "",
  };
}

/** The histogram for `--json`. */
export function histogramJson(histogram: Histogram): object {
  const rows = [...histogram].map(([name, { letters, replay, skipped }]) => [
    name,
    { letters, replay, skipped: Object.fromEntries(skipped) },
  ]);
  return Object.fromEntries(rows);
}

export function replayTotal(histogram: Histogram): number {
  return [...histogram.values()].reduce((sum, { replay }) => sum + replay, 0);
}
