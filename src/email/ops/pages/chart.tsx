import type { MinuteCount, OutcomeSeries } from "../outcome-history.ts";
import { outcomeSeries } from "../outcome-history.ts";

const names: Readonly<Record<OutcomeSeries, string>> = {
  accepted: "accepted",
  skipped: "not sent (duplicate, expired or suppressed)",
  retried: "tried again later",
  dead_letter: "dead letters",
};
const [height, step, bar] = [120, 10, 8] as const;

/** Stacked bars, one a minute, drawn by the server: nothing is loaded, nothing runs. */
export function Chart({ minutes }: { readonly minutes: readonly MinuteCount[] }) {
  const most = Math.max(1, ...minutes.map(totalOf));
  const sums = outcomeSeries.map((series) => {
    return [series, minutes.reduce((sum, minute) => sum + minute[series], 0)] as const;
  });
  const words = sums.map(([series, sum]) => `${sum} ${names[series]}`).join(", ");
  return (
    <figure class="chart">
      <svg
        viewBox={`0 0 ${minutes.length * step} ${height}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`Mails per minute in the last hour: ${words}; at most ${most} in a minute`}
      >
        {minutes.map((minute, index) => (
          <Bar minute={minute} left={index * step} scale={height / most} />
        ))}
      </svg>
      <p class="axis">
        <span>1 h ago</span>
        <span>at most {most} a minute</span>
        <span>now</span>
      </p>
      <ul class="legend">
        {sums.map(([series, sum]) => (
          <li>
            <span class={`swatch series-${series}`} aria-hidden="true" />
            {sum} {names[series]}
          </li>
        ))}
      </ul>
    </figure>
  );
}

interface BarProps {
  readonly minute: MinuteCount;
  readonly left: number;
  readonly scale: number;
}

function Bar({ minute, left, scale }: BarProps) {
  let top = height;
  return (
    <>
      {outcomeSeries.map((series) => {
        const count = minute[series];
        if (count === 0) return null;
        const size = Math.max(1, count * scale);
        top -= size;
        return (
          <rect
            class={`series-${series}`}
            x={left}
            y={round(top)}
            width={bar}
            height={round(size)}
          />
        );
      })}
    </>
  );
}

function totalOf(minute: MinuteCount): number {
  return outcomeSeries.reduce((sum, series) => sum + minute[series], 0);
}

function round(value: number): string {
  return value.toFixed(1);
}
