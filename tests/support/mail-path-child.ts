import { test } from "bun:test";
import { codeEvent } from "../../support/events.ts";
import { eventually } from "../../support/eventually.ts";
import { openDeliveryRig } from "./delivery-rig.ts";

/** Run by `mail-path.ts` under `bun test --coverage`: publishes mails one by one, and delivers them. */
test("mails on their way", async () => {
  const { MAIL_PATH_MAILS: mails, MAIL_PATH_DELIVERS: delivers } = process.env;
  await using rig = await openDeliveryRig();
  if (delivers === "yes") await rig.startWorker();
  for (let sent = 1; sent <= Number(mails); sent += 1) {
    await rig.publish(codeEvent());
    if (delivers === "yes") {
      const marked = () => rig.lines.filter(({ msg }) => msg === "Marked email as processed");
      await eventually("the mail is sent", () => marked().length === sent);
    }
  }
});
