import type { Hono } from "hono";
import { emailAddressBound, parseEmailAddress } from "../../core/email-address.ts";
import type { HttpEnvironment } from "../../core/http/environment.ts";
import { isMessageId, messageIdPattern } from "../event.ts";
import { traceErrors } from "../trace/error-codes.ts";
import type { TraceDeps } from "../trace/trace.ts";
import { findMailsOf, findTrace } from "../trace/trace.ts";
import { mailPage } from "./pages/mail-page.tsx";
import { opsMessagePage } from "./pages/message-page.tsx";
import type { OpsSite } from "./pages/ops-page.tsx";
import { searchPage } from "./pages/search-page.tsx";

/** `/search` and `/mails/:id`. */
export function addSearchRoutes(
  app: Hono<HttpEnvironment>,
  deps: TraceDeps & { readonly site: OpsSite },
): void {
  const { site } = deps;
  app.get("/search", () => searchPage({ site }));
  app.post("/search", async (context) => {
    const form = new URLSearchParams(await context.req.text());
    const sought = (form.get("sought") ?? "").trim();
    if (isMessageId(sought)) return context.redirect(`/mails/${sought}`, 303);
    const recipient = parseEmailAddress(sought);
    if (recipient === undefined) {
      const error = sought.includes("@")
        ? `An address must be ${emailAddressBound}.`
        : "That is neither an address nor a message_id (1 to 128 letters, digits, dots, dashes, underscores).";
      return searchPage({ site, sought, error });
    }
    return searchPage({ site, sought, found: await findMailsOf(deps, recipient) });
  });
  app.get(`/mails/:id{${messageIdPattern}}`, async (context) => {
    const mail = await findTrace(deps, context.req.param("id"));
    if (mail !== undefined) return mailPage(site, mail);
    return opsMessagePage(site, {
      status: 404,
      title: "Not known",
      text: `${traceErrors.mailUnknown.meaning}.`,
      href: "/search",
      button: "Search again",
    });
  });
}
