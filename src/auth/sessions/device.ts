const deviceCharsMax = 60;
const userAgentCharsMax = 500;
export const unknownDevice = "Unknown device";

/** In this order, because most browsers also name those they descend from. */
const browsers = [
  [/\bEdg(?:e|A|iOS)?\//, "Edge"],
  [/\b(?:OPR|Opera)\//, "Opera"],
  [/\bSamsungBrowser\//, "Samsung Internet"],
  [/\b(?:Firefox|FxiOS)\//, "Firefox"],
  [/\b(?:Chrome|Chromium|CriOS)\//, "Chrome"],
  [/\bVersion\/\S+ .*\bSafari\//, "Safari"],
] as const;

const systems = [
  [/\biPhone\b/, "iPhone"],
  [/\biPad\b/, "iPad"],
  [/\bAndroid\b/, "Android"],
  [/\bCrOS\b/, "ChromeOS"],
  [/\bWindows\b/, "Windows"],
  [/\bMac OS X\b|\bMacintosh\b/, "macOS"],
  [/\bLinux\b/, "Linux"],
] as const;

/**
 * What a person recognises a session by, from the User-Agent: "Firefox on Windows", or for a
 * program its name: "curl". Only words of ours and plain program names come out, whatever goes in.
 */
export function describeDevice(userAgent: string | undefined): string {
  const text = (userAgent ?? "").slice(0, userAgentCharsMax);
  const browser = browsers.find(([pattern]) => pattern.test(text))?.[1];
  const system = systems.find(([pattern]) => pattern.test(text))?.[1];
  if (browser !== undefined) return system === undefined ? browser : `${browser} on ${system}`;
  const program = /^([A-Za-z][A-Za-z0-9._-]*)(?:\/|\s|$)/.exec(text)?.[1];
  if (program !== undefined && program !== "Mozilla") return program.slice(0, deviceCharsMax);
  return system === undefined ? unknownDevice : `A browser on ${system}`;
}
