import type { EmailEvent } from "../event.ts";
import { decodeEmailEvent } from "../event.ts";
import type { EventType } from "../mails/mail-types.ts";
import { eventTypes } from "../mails/mail-types.ts";
import { samplesOf } from "../mails/sample-data.ts";
import type { RenderedMail, RenderMail } from "../templates/mail-renderer.ts";

/** Which mail is looked at: a sample of a type in a language. */
export interface PreviewChoice {
  readonly type: EventType;
  readonly sample: string;
  readonly language: string;
}

const recipient = "ana@example.com";
const unsubscribeUrl = "https://example.com/unsubscribe/sample";

/** All types with the names of their samples. */
export const previewable = eventTypes.map((type) => ({
  type,
  samples: samplesOf(type, 0).map(({ name }) => name),
}));

/** The choice that a request means; what it names wrongly, or not at all, is the first there is. */
export function parseChoice(
  asked: { readonly type: string; readonly sample: string; readonly language: string },
  languages: readonly string[],
): PreviewChoice {
  const first = previewable[0] ?? { type: "verification_code" as const, samples: [] };
  const { type, samples } = previewable.find((one) => one.type === asked.type) ?? first;
  return {
    type,
    sample: samples.find((name) => name === asked.sample) ?? samples[0] ?? "",
    language: languages.find((tag) => tag === asked.language) ?? languages[0] ?? "en",
  };
}

/** The mail of a sample, as it would be sent at `now`. */
export function renderSample(render: RenderMail, choice: PreviewChoice, now: number): RenderedMail {
  return render(sampleEvent(choice, now), { now, unsubscribeUrl });
}

function sampleEvent({ type, sample, language }: PreviewChoice, now: number): EmailEvent {
  const { data = {} } = samplesOf(type, now).find(({ name }) => name === sample) ?? {};
  const wire = {
    message_id: "preview",
    event_type: type,
    timestamp: new Date(now).toISOString(),
    recipient,
    data: { ...data, locale: language },
  };
  const decoded = decodeEmailEvent(Buffer.from(JSON.stringify(wire)));
  if (decoded.kind === "poison") throw new Error(`the sample is no event: ${decoded.reason}`);
  return decoded.event;
}
