import { maskEmail } from "../../core/log.ts";
import type { DeadLetter, Histogram } from "./replay-plan.ts";

/** The plan as lines of a table: class, letters, to replay, and why the others are skipped. */
export function histogramLines(histogram: Histogram): readonly string[] {
  const rows = [...histogram]
    .toSorted(([, a], [, b]) => b.deadLetters - a.deadLetters)
    .map(([name, { deadLetters, replay, skipped }]) => {
      const reasons = [...skipped].map(([reason, count]) => `${count} ${reason}`).join(", ");
      return [name, String(deadLetters), String(replay), reasons] as const;
    });
  const table = [["class", "dead letters", "to replay", "skipped"] as const, ...rows];
  const width = (column: number) => Math.max(...table.map((row) => (row[column] ?? "").length));
  const [first, second, third] = [width(0), width(1), width(2)];
  return table.map(([name, deadLetters, replay, skipped]) =>
    `  ${name.padEnd(first)}  ${deadLetters.padStart(second)}  ${replay.padStart(third)}  ${skipped}`.trimEnd(),
  );
}

/** One line a letter: where it lies, its class, its mail, and the reason. */
export function deadLetterLines(deadLetters: readonly DeadLetter[]): readonly string[] {
  return deadLetters.map((deadLetter) => {
    const { partition, offset, className, messageId, recipient, reason } =
      deadLetterSummary(deadLetter);
    const mail = [messageId, recipient].filter((part) => part !== undefined).join(" to ");
    return `  ${partition}/${offset}  ${className}  ${mail === "" ? "" : `${mail}  `}${reason}`;
  });
}

/** What is shown of a dead letter; the recipient is masked. */
export function deadLetterSummary({ record, facts, messageId, recipient }: DeadLetter) {
  return {
    partition: record.partition,
    offset: record.offset,
    className: facts.class ?? "unknown",
    messageId,
    recipient: recipient === undefined ? undefined : maskEmail(recipient),
    reason: facts.reason ?? "",
  };
}

/** The same for `--json`. */
export function deadLetterJson(deadLetter: DeadLetter) {
  const { className, messageId, ...summary } = deadLetterSummary(deadLetter);
  return { ...summary, class: className, message_id: messageId };
}

/** The histogram for `--json`. */
export function histogramJson(histogram: Histogram): object {
  const rows = [...histogram].map(([name, { deadLetters, replay, skipped }]) => [
    name,
    { dead_letters: deadLetters, replay, skipped: Object.fromEntries(skipped) },
  ]);
  return Object.fromEntries(rows);
}

export function replayTotal(histogram: Histogram): number {
  return [...histogram.values()].reduce((sum, { replay }) => sum + replay, 0);
}
