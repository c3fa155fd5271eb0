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

/** What an HTML parser makes of a page: each element with its attributes, and no text. */
export function htmlOutline(html: string): string[] {
  const outline: string[] = [];
  new HTMLRewriter()
    .on("*", {
      element: (element) => {
        const names = [...element.attributes].map(([name]) => name);
        outline.push(`${element.tagName} ${names.sort().join(" ")}`);
      },
    })
    .transform(html);
  return outline;
}

/** Every address that the elements of a page lead to or load. */
export function htmlLinks(html: string): string[] {
  const links: string[] = [];
  new HTMLRewriter()
    .on("[href], [src], [background], [action]", {
      element: (element) => {
        for (const name of ["href", "src", "background", "action"]) {
          const link = element.getAttribute(name);
          if (link !== null) links.push(unescaped(link));
        }
      },
    })
    .transform(html);
  return links;
}

/** The words that a reader of the page sees or hears, one after the other. */
export function htmlText(html: string): string[] {
  const pieces: string[] = [];
  let hidden = 0;
  new HTMLRewriter()
    .on("head, [aria-hidden]", {
      element: (element) => {
        hidden += 1;
        element.onEndTag(() => {
          hidden -= 1;
        });
      },
    })
    .on("*", {
      element: () => {
        pieces.push(" ");
      },
      text: ({ text }) => {
        if (hidden === 0) pieces.push(text);
      },
    })
    .transform(html);
  return unescaped(pieces.join("")).split(/\s+/).filter(Boolean);
}

function unescaped(text: string): string {
  const signs: Readonly<Record<string, string>> = {
    "&lt;": "<",
    "&gt;": ">",
    "&quot;": '"',
    "&#39;": "'",
    "&#x27;": "'",
    "&amp;": "&",
  };
  return text.replace(/&(?:lt|gt|quot|#39|#x27|amp);/g, (entity) => signs[entity] ?? entity);
}
