import type { Hono } from "hono";
import type { HttpEnvironment } from "../core/http/environment.ts";
import { loopbackOnly } from "../core/http/loopback-only.ts";
import type { InboxPageOptions } from "./pages/inbox.tsx";
import { inboxPage } from "./pages/inbox.tsx";
import { mailFrame } from "./pages/mail-frame.ts";

/** Adds the inbox of EMAIL_MODE=log to an app, for this machine alone: its mails hold codes. */
export function addInboxRoutes(app: Hono<HttpEnvironment>, options: InboxPageOptions): void {
  const { inbox } = options;
  app.use("/inbox/*", loopbackOnly());
  app.get("/inbox", () => inboxPage(options));
  app.get("/inbox/newest", (context) => {
    return context.json({ newest: String(inbox.list(1)[0]?.id ?? 0) });
  });
  app.get("/inbox/:id{\\d{1,15}}", (context) =>
    inboxPage(options, Number(context.req.param("id"))),
  );
  app.get("/inbox/:id{\\d{1,15}}/html", (context) => {
    const mail = inbox.find(Number(context.req.param("id")));
    return mail === undefined ? context.notFound() : mailFrame(mail.html);
  });
}
