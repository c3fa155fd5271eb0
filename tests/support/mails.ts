import type { EmailEvent } from "../../src/email/event.ts";
import { decodeEmailEvent } from "../../src/email/event.ts";
import type { EventType } from "../../src/email/mails/mail-types.tsx";
import { eventTypes, samplesOf } from "../../src/email/mails/mail-types.tsx";
import type {
  MailRendererOptions,
  RenderedMail,
} from "../../src/email/templates/mail-renderer.tsx";
import { createMailRenderer } from "../../src/email/templates/mail-renderer.tsx";

/** When the mails of tests are sent; their events are of the same moment. */
export const sentAt = Date.UTC(2026, 0, 31, 12);

export const unsubscribeUrl = "https://acme.example/unsubscribe/token";

/** A renderer as the settings' defaults make it. */
export function openRenderer(options: Partial<MailRendererOptions> = {}) {
  return createMailRenderer({
    appName: "Acme",
    fallbackLocale: "en",
    codeInSubject: false,
    ...options,
  });
}

/** The event of these data, by the decoder: what it would refuse is refused here. */
export function mailEvent(
  type: EventType,
  data: object,
  recipient = "ana@example.com",
): EmailEvent {
  const wire = {
    message_id: "m",
    event_type: type,
    timestamp: new Date(sentAt).toISOString(),
    recipient,
    data,
  };
  const decoded = decodeEmailEvent(Buffer.from(JSON.stringify(wire)));
  if (decoded.kind === "poison") throw new Error(decoded.reason);
  return decoded.event;
}

export function renderData(
  type: EventType,
  data: object,
  options: Partial<MailRendererOptions> = {},
): RenderedMail {
  return openRenderer(options)(mailEvent(type, data), { now: sentAt, unsubscribeUrl });
}

/** Every sample of every type: `[type, name, data]`. */
export const everySample = eventTypes.flatMap((type) =>
  samplesOf(type, sentAt).map(({ name, data }) => [type, name, data] as const),
);
