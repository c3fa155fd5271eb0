import type { Hono, MiddlewareHandler } from "hono";
import type { HttpEnvironment } from "../core/http/environment.ts";
import { problemResponse } from "../core/http/problem.ts";
import { opsErrors } from "./ops/error-codes.ts";
import type { LiveFeed } from "./ops/live-feed.ts";
import type { InboxPageOptions } from "./pages/inbox.tsx";
import { inboxPage } from "./pages/inbox.tsx";
import { mailFrame } from "./pages/mail-frame.ts";

export interface InboxRouteDeps extends InboxPageOptions {
  /** Who may look: its mails hold codes. */
  readonly guard: MiddlewareHandler<HttpEnvironment>;
  /** Tells which mail is the newest. */
  readonly feed: LiveFeed;
}

const wordsMax = 320;

/** Adds the inbox of EMAIL_MODE=log to an app. What is searched for goes in a form, not in a URL. */
export function addInboxRoutes(app: Hono<HttpEnvironment>, options: InboxRouteDeps): void {
  const { inbox, guard, feed } = options;
  app.use("/inbox/*", guard);
  app.get("/inbox", () => inboxPage(options));
  app.get("/inbox/live", (context) => {
    return feed.watch() ?? problemResponse(context, opsErrors.tooManyWatchers);
  });
  app.get("/inbox/search", (context) => context.redirect("/inbox", 303));
  app.post("/inbox/search", async (context) => {
    const typed = new URLSearchParams(await context.req.text()).get("words") ?? "";
    const words = typed.trim().slice(0, wordsMax);
    return words === "" ? context.redirect("/inbox", 303) : inboxPage(options, { words });
  });
  app.post("/inbox/clear", async (context) => {
    await inbox.clear();
    return context.redirect("/inbox", 303);
  });
  app.get("/inbox/:id{\\d{1,15}}", (context) =>
    inboxPage(options, { openId: Number(context.req.param("id")) }),
  );
  app.get("/inbox/:id{\\d{1,15}}/html", (context) => {
    const mail = inbox.find(Number(context.req.param("id")));
    return mail === undefined ? context.notFound() : mailFrame(mail.html);
  });
}
