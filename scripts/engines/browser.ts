const names = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];

/** The Chromium of TEST_CHROMIUM, or one that is installed. */
export function findBrowser(): string | undefined {
  const found = names.map((name) => Bun.which(name)).find((path) => path !== null);
  return process.env["TEST_CHROMIUM"] || (found ?? undefined);
}
