import { domainToASCII } from "node:url";
import type { ConfigField, ConfigProblem } from "../../../core/config.ts";

/** A server of SMTP_URLS: fields of `smtpFields` that its URL sets, by their key there. */
type UrlSettings = Readonly<Record<string, unknown>>;

const serversMax = 10;
const shape = "smtp://user:password@smtp.example.com:587?from=noreply@example.com";
/** Excluded: parts of the URL itself, and a secret shared by all servers. */
const notParameters: ReadonlySet<string> = new Set(["urls", "host", "port", "user", "password"]);

/**
 * Reads SMTP_URLS. Every parameter is one of `fields`, named as its variable in lower case without
 * SMTP_, with the same bounds. A problem repeats nothing of a URL but its host, its port and the
 * names of its parameters: a password that is not percent-encoded may be anywhere else.
 */
export function readServerUrls(
  text: string,
  fields: Readonly<Record<string, ConfigField<unknown>>>,
  problems: ConfigProblem[],
): readonly UrlSettings[] {
  const urls = text.split(/[\s,]+/).filter((url) => url !== "");
  const report = (problem: string) => problems.push({ name: "SMTP_URLS", problem });
  if (urls.length === 0 || urls.length > serversMax) {
    report(`must be 1 to ${serversMax} URLs such as ${shape}, separated by commas`);
    return [];
  }
  const parameters = parametersOf(fields);
  const read = urls.map((url, index) => {
    const nth = `server ${index + 1}`;
    return readUrl(url, parameters, (problem, of = nth) => report(`${of}: ${problem}`));
  });
  const settings = read.filter((server) => server !== undefined);
  const seen = settings.map(({ host, port, user }) => JSON.stringify([host, port, user]));
  if (new Set(seen).size < seen.length) report("names the same server and login twice");
  return settings;
}

type Parameters = ReadonlyMap<string, readonly [key: string, field: ConfigField<unknown>]>;

function parametersOf(fields: Readonly<Record<string, ConfigField<unknown>>>): Parameters {
  const usable = Object.entries(fields).filter(
    ([key, { name, secret }]) => name.startsWith("SMTP_") && !secret && !notParameters.has(key),
  );
  return new Map(
    usable.map(([key, field]) => [field.name.slice("SMTP_".length).toLowerCase(), [key, field]]),
  );
}

function readUrl(
  text: string,
  parameters: Parameters,
  report: (problem: string) => void,
): UrlSettings | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isSmtp = url?.protocol === "smtp:" || url?.protocol === "smtps:";
  if (url === undefined || !isSmtp || url.hostname === "") {
    report(`must be a URL such as ${shape}, with user and password percent-encoded`);
    return undefined;
  }
  if (url.hash !== "" || !/^\/?$/.test(url.pathname)) {
    report("has a / or # where none belongs; in a user or password it is written %2F or %23");
    return undefined;
  }
  const host = hostOf(url);
  if (host === "" || url.port === "0") {
    report(`must be a URL such as ${shape}, with a host name, and a port from 1 to 65535 if any`);
    return undefined;
  }
  const names = [...parametersIn(url).keys()];
  if (isPartOfPassword(url, names, parameters)) {
    report("has a ? where none belongs; in a user or password it is written %3F");
    return undefined;
  }
  if (new Set(names).size < names.length) report("has a parameter twice");
  const implicit = url.protocol === "smtps:";
  const settings: Record<string, unknown> = {
    host,
    port: url.port === "" ? (implicit ? 465 : 587) : Number(url.port),
    user: decodePart(url.username, report),
    password: decodePart(url.password, report),
    ...(implicit ? { tls: "implicit" } : {}),
  };
  for (const [name, value] of parametersIn(url)) {
    const [key, field] = parameters.get(name) ?? [];
    if (key === undefined || field === undefined) {
      report(
        `has no parameter ${JSON.stringify(name.slice(0, 40))}; there are ${[...parameters.keys()].join(", ")}`,
      );
    } else if (implicit && key === "tls" && value !== "implicit") {
      report("smtps:// is tls=implicit; write smtp:// for another mode");
    } else {
      const parsed = field.parse(value);
      if ("value" in parsed) settings[key] = parsed.value;
      else report(`${name} must be ${field.bound}`);
    }
  }
  return settings;
}

/** In lower case and ASCII, so that a server listed twice is detected; "": no name. */
function hostOf({ hostname }: URL): string {
  const address = /^\[(.*)\]$/.exec(hostname)?.[1];
  if (address !== undefined) return address;
  return URL.canParse(`http://${hostname}`) ? domainToASCII(decodeURIComponent(hostname)) : "";
}

/** `smtp://ana:12?34@host` reads as the host "ana", and the rest must not be repeated. */
function isPartOfPassword(url: URL, names: readonly string[], parameters: Parameters): boolean {
  const isUnknown = names.some((name) => !parameters.has(name));
  return isUnknown && url.username === "" && /@|%40/.test(url.search);
}

/** A plus is literal here (`from=a+b@…`), as in the rest of a URL. */
function parametersIn(url: URL): URLSearchParams {
  return new URLSearchParams(url.search.replaceAll("+", "%2B"));
}

/** Undefined if there is none. */
function decodePart(part: string, report: (problem: string) => void): string | undefined {
  if (part === "") return undefined;
  try {
    const decoded = decodeURIComponent(part);
    if (/\p{Cc}/u.test(decoded)) report("user and password must have no control characters");
    return decoded;
  } catch {
    report("user or password has an invalid percent-encoding; a literal % is written %25");
    return undefined;
  }
}
