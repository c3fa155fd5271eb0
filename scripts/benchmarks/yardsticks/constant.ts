/** The yardstick of the HTTP rows: Hono routes that answer a constant, served by Bun on PORT. */
import { Hono } from "hono";

const constant = { message: "verification code sent to your email" };
const app = new Hono();
app.post("/auth/request-code", (context) => context.json(constant));
app.get("/auth/session", (context) => context.json(constant));
Bun.serve({
  hostname: "127.0.0.1",
  port: Number(process.env["PORT"]),
  fetch: app.fetch,
  development: false,
});
