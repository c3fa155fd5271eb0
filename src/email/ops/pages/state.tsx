import { describeOpenTransactions } from "../lag-watch.ts";
import type { OpsSnapshot } from "../snapshot.ts";
import { durationWords } from "./duration.ts";

/** An event that waits for longer makes a person wait. */
const lateSeconds = 60;

/** The first thing to read: whether mails flow; else why not, and where to go from there. */
export function State({ reasons, lag }: Pick<OpsSnapshot, "reasons" | "lag">) {
  const late = [...lateWords(lag), ...describeOpenTransactions(lag)];
  if (reasons.length > 0) {
    return (
      <div class="state state-bad">
        <p>Delivery is paused</p>
        <List words={reasons} />
        <p class="state-next">
          Mails wait meanwhile, and none is lost; but codes expire. <code>instant doctor</code> asks
          every server and says the mend.
        </p>
      </div>
    );
  }
  if (late.length === 0) return <p class="state state-good">Mails flow</p>;
  return (
    <div class="state state-late">
      <p>Some mails are late</p>
      <List words={late} />
    </div>
  );
}

function List({ words }: { readonly words: readonly string[] }) {
  return (
    <ul>
      {words.map((each) => (
        <li>{each}</li>
      ))}
    </ul>
  );
}

function lateWords({ partitions, problem }: OpsSnapshot["lag"]): readonly string[] {
  if (problem !== undefined) return [];
  const waiting = partitions.filter(({ records }) => records > 0);
  const unread = waiting
    .filter(({ owner }) => owner === undefined)
    .map(({ partition, records }) => `Nobody reads partition ${partition}, where ${records} wait`);
  const seconds = Math.max(0, ...waiting.map((each) => each.seconds));
  if (seconds < lateSeconds) return unread;
  const oldest = durationWords(seconds * 1000);
  return [
    ...unread,
    `The oldest event has waited for ${oldest}: see the last failures; with none there, add replicas`,
  ];
}
