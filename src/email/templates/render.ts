import type { EmailEvent, EventType } from "../event.ts";
import { emailChange } from "./email-change.tsx";
import { passwordReset } from "./password-reset.tsx";
import { signInNotice } from "./sign-in-notice.tsx";
import type { EventOf, RenderedMail, Template, TemplateContext } from "./template.ts";
import { verificationCode } from "./verification-code.tsx";
import { welcome } from "./welcome.tsx";

/** One row per event type; a type without a template does not compile. */
const templates: { readonly [T in EventType]: Template<T> } = {
  verification_code: verificationCode,
  welcome,
  password_reset: passwordReset,
  sign_in_notice: signInNotice,
  email_change: emailChange,
};

export function renderMail(event: EmailEvent, context: TemplateContext): RenderedMail {
  return renderAs(event.eventType, event, context);
}

function renderAs<T extends EventType>(
  type: T,
  event: EmailEvent,
  context: TemplateContext,
): RenderedMail {
  return templates[type].render(event as EventOf<T>, context);
}
