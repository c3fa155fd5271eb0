import { describe, expect, test } from "bun:test";
import { coreErrors, InstantError } from "../../src/core/errors.ts";
import { createHttpApp } from "../../src/core/http/app.ts";
import type { DrawProblem } from "../../src/core/http/problem.ts";
import { silentLog } from "../../src/core/log.ts";
import { problemOf } from "../support/sign-in-world.ts";

describe("a problem", () => {
  function openPages() {
    const drawProblem: DrawProblem = ({ code, status }, { req }) =>
      req.path === "/api" ? undefined : new Response(`<p>${code}</p>`, { status });
    const app = createHttpApp({ log: silentLog, drawProblem });
    app.get("/away", () => {
      throw new InstantError(coreErrors.redisUnavailable);
    });
    return app;
  }
  const browser = { Accept: "text/html,application/xhtml+xml,*/*;q=0.8" };

  test("is a page for a browser, with the status and headers of the problem", async () => {
    const answer = await openPages().request("/away", { headers: browser });
    expect(await answer.text()).toBe("<p>redis_unavailable</p>");
    expect(answer.status).toBe(503);
    expect(answer.headers.get("Retry-After")).toBe("5");
    expect(answer.headers.get("Cache-Control")).toBe("no-store");
    const refused = await openPages().request("/away", { method: "DELETE", headers: browser });
    expect(await refused.text()).toBe("<p>method_not_allowed</p>");
    expect(refused.headers.get("Allow")).toBe("GET, HEAD");
  });

  test.each([
    ["asks for anything", "/nowhere", { Accept: "*/*" }],
    ["asks for nothing by name", "/nowhere", {}],
    ["likes JSON better", "/nowhere", { Accept: "application/problem+json,text/html;q=0.5" }],
    ["asks where no page is drawn", "/api", browser],
  ])("stays JSON for whoever %s", async (_, path, headers) => {
    await problemOf(await openPages().request(path, { headers }));
  });
});
