import { expect, test } from "bun:test";
import { describeDevice } from "../../src/auth/sessions/session-store.ts";

const webkit = "AppleWebKit/537.36 (KHTML, like Gecko)";
const windows = "Mozilla/5.0 (Windows NT 10.0; Win64; x64)";
const iphone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X)";

test.each([
  ["Mozilla/5.0 (Windows NT 10.0; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Windows"],
  [`${windows} ${webkit} Chrome/140.0.0.0 Safari/537.36`, "Chrome on Windows"],
  [`${windows} ${webkit} Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0`, "Edge on Windows"],
  [
    `Mozilla/5.0 (X11; Linux x86_64) ${webkit} Chrome/140.0 Safari/537.36 OPR/120.0`,
    "Opera on Linux",
  ],
  [`${iphone} AppleWebKit/605.1.15 Version/18.0 Mobile/15E148 Safari/604.1`, "Safari on iPhone"],
  [`${iphone} AppleWebKit/605.1.15 CriOS/140.0 Mobile/15E148 Safari/604.1`, "Chrome on iPhone"],
  [
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/18.0 Safari/605.1.15",
    "Safari on macOS",
  ],
  [
    `Mozilla/5.0 (Linux; Android 15; SM-S921B) ${webkit} SamsungBrowser/28.0 Chrome/130.0 Mobile Safari/537.36`,
    "Samsung Internet on Android",
  ],
  [
    `Mozilla/5.0 (X11; CrOS x86_64 15917.0.0) ${webkit} Chrome/140.0 Safari/537.36`,
    "Chrome on ChromeOS",
  ],
  ["Mozilla/5.0 (X11; Linux x86_64)", "A browser on Linux"],
  ["curl/8.5.0", "curl"],
  ["okhttp", "okhttp"],
  ["python-requests/2.32", "python-requests"],
  ["", "Unknown device"],
  [undefined, "Unknown device"],
  ["<script>alert(1)</script>", "Unknown device"],
  ["Mozilla/5.0", "Unknown device"],
  ["ünicode/1", "Unknown device"],
])("%p is %s", (userAgent, device) => {
  expect(describeDevice(userAgent)).toBe(device);
});

test("however long it is, the words are short, and it takes no time", () => {
  const startedAt = performance.now();
  for (const part of ["x", "Version/1 ", "Mozilla ", "("]) {
    expect(describeDevice(part.repeat(100_000)).length).toBeLessThanOrEqual(60);
  }
  expect(performance.now() - startedAt).toBeLessThan(200);
});
