import { join } from "node:path";
import { silentLog } from "../../../src/core/log.ts";
import { openSqlite } from "../../../src/core/sqlite/database.ts";
import { topicSpecs } from "../../../src/email/event.ts";
import { openSqliteEventLog } from "../../../src/email/event-log/sqlite/sqlite.ts";
import { publishAll } from "../../../support/service-rig.ts";
import { makeMails } from "../../faults/mails.ts";
import { alternate } from "../alternate.ts";
import type { Benchmark } from "../benchmark.ts";
import { timeDrain, warmUpMails } from "../drain.ts";
import { EmailService } from "../email-service.ts";
import { runYardstick } from "../yardstick.ts";

/** In both scales: fewer are over before the disk has shown how slow it may be. */
const insertedMails = 50_000;
const sizes = { full: { mails: 50_000, pairs: 5 }, quick: { mails: 4000, pairs: 1 } } as const;

export const drainEmbedded: Benchmark = {
  name: "drain-embedded",
  job: "drain a backlog of the embedded engines (SQLite), log mode",
  yardstick: "bun:sqlite inserts of the same events, a transaction per 100",
  unit: "mails/s",
  target: { atLeast: 0.25 },
  inQuick: true,
  measure: async (stage, scale) => {
    const { mails, pairs } = sizes[scale];
    return await alternate(pairs, {
      ours: async () => {
        const data = stage.makeDirectory();
        await fill(data, warmUpMails + mails);
        await using service = await EmailService.startEmbedded(stage, data);
        return await timeDrain(service, mails);
      },
      yardstick: async () => {
        const file = join(stage.makeDirectory(), "inserts.sqlite");
        return await runYardstick(stage, "sqlite-inserts", [file, insertedMails]);
      },
    });
  },
};

/** What serve-auth would have published before. */
async function fill(dataDirectory: string, mails: number): Promise<void> {
  await using file = await openSqlite(join(dataDirectory, "events.sqlite"));
  await using log = await openSqliteEventLog(file, { log: silentLog });
  const topics = { events: "email-events", deadLetters: "email-events-dlq" };
  const specs = topicSpecs({ ...topics, partitions: 3, replicationFactor: 1 });
  await log.createTopics(specs, { grow: false });
  await publishAll(log, topics.events, makeMails(mails));
}
