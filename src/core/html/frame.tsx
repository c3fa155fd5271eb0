import type { Child } from "hono/jsx";

interface FrameProps {
  readonly appName: string;
  /** `narrow`: one card in the middle; `wide`: a page of several. */
  readonly width: "narrow" | "wide";
  /** What stands at the right of the bar. */
  readonly aside?: Child;
  readonly children?: Child;
}

/** What every page has around it: the name of the application, leading home, and the main part. */
export function Frame({ appName, width, aside, children }: FrameProps) {
  return (
    <div class={`frame ${width}`}>
      <header class="bar">
        <a class="brand" href="/">
          <span class="brand-mark" aria-hidden="true">
            {initialOf(appName)}
          </span>
          {appName}
        </a>
        {aside}
      </header>
      <main>{children}</main>
    </div>
  );
}

/** An SVG for the browser's tab: the initial on the accent colour. */
export function frameIcon(appName: string): string {
  const initial = initialOf(appName).replace(/[<>&]/g, (sign) => `&#${sign.charCodeAt(0)};`);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="9" fill="#2b50d9"/><text x="16" y="22.5" text-anchor="middle" font-family="system-ui,sans-serif" font-size="19" font-weight="650" fill="#fff">${initial}</text></svg>`;
}

function initialOf(appName: string): string {
  const [first] = new Intl.Segmenter("en").segment(appName.trim());
  return first?.segment ?? "";
}
