import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { choosePort } from "../../support/engines/server.ts";
import { findEngine } from "../../support/engines.ts";
import type { OwnServer } from "../../support/own-server.ts";
import { isListening, openOwnServer } from "../../support/own-server.ts";
import { testCertificates } from "../../support/smtp-sink/listener.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

/** What it tells the service about a request, as people configure it. */
const proxyHeaders = {
  /**
   * A `proxy_pass` alone: the service reads `Host: 127.0.0.1:<its port>` and nothing else, as if a
   * program on this machine had asked.
   */
  bare: [],
  /** `Host` alone, as the browser sent it. */
  host: ["proxy_set_header Host $http_host;"],
  /** What most guides show. */
  usual: [
    "proxy_set_header Host $http_host;",
    "proxy_set_header X-Real-IP $remote_addr;",
    "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;",
    "proxy_set_header X-Forwarded-Proto $scheme;",
  ],
  /** The browser's Host only as `X-Forwarded-Host`. */
  forwarded: [
    "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;",
    "proxy_set_header X-Forwarded-Proto $scheme;",
    "proxy_set_header X-Forwarded-Host $http_host;",
  ],
} as const;

interface NginxOptions {
  /** The URL of the service behind it. */
  readonly service: string;
  readonly headers: keyof typeof proxyHeaders;
  /** Further lines of its `location /`. */
  readonly directives?: readonly string[];
}

export interface Nginx extends OwnServer {
  /** With TLS: "https://localhost:<port>". It takes any other name too. */
  readonly url: string;
  /** The same site without TLS. */
  readonly plainUrl: string;
  /** What it wrote about servers that failed. */
  failures(): string[];
  /** A request with TLS, which trusts the test's authority; `from`: the client that nginx sees. */
  fetch(path: string, init?: RequestInit & { readonly from?: string }): Promise<Response>;
}

/** For a browser: its requests come from this address, as nginx sees it. */
export const clientHeader = "X-Test-Client";

/**
 * Debian's nginx in front of a service, on ports of its own. A request may name its client's address
 * in `X-Test-Client`, which nginx takes for that of the connection and does not pass on.
 */
export async function openNginx({
  service,
  headers,
  directives = [],
}: NginxOptions): Promise<Nginx> {
  const program = findEngine("nginx");
  if (program === undefined) throw new Error("no nginx");
  const directory = temporaryDirectory();
  const file = (name: string) => join(directory.path, name);
  const [port, plainPort] = [await choosePort(0), await choosePort(0)];
  const { authority, good } = testCertificates();
  writeFileSync(file("key.pem"), good.key, { mode: 0o600 });
  writeFileSync(file("cert.pem"), good.cert);
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (name) => `${name}_temp_path ${file(name)};`,
  );
  const settings = [
    "daemon off;",
    // One process, so that a SIGKILL leaves no worker behind.
    "master_process off;",
    `pid ${file("pid")};`,
    "events {}",
    "http {",
    "access_log off;",
    ...temporary,
    "server {",
    `listen 127.0.0.1:${plainPort};`,
    `listen 127.0.0.1:${port} ssl;`,
    `ssl_certificate ${file("cert.pem")};`,
    `ssl_certificate_key ${file("key.pem")};`,
    "set_real_ip_from 127.0.0.1;",
    `real_ip_header ${clientHeader};`,
    "location / {",
    `proxy_pass ${new URL(service).origin};`,
    `proxy_set_header ${clientHeader} "";`,
    ...proxyHeaders[headers],
    ...directives,
    "} } }",
    "",
  ];
  writeFileSync(file("nginx.conf"), settings.join("\n"));
  const nginx = await openOwnServer({
    command: [program, "-p", directory.path, "-e", file("log"), "-c", file("nginx.conf")],
    directory,
    answers: () => isListening(port),
  });
  const url = `https://localhost:${port}`;
  return {
    ...nginx,
    url,
    plainUrl: `http://localhost:${plainPort}`,
    failures: () => {
      const lines = readFileSync(file("log"), "utf8").split("\n");
      return lines.filter((line) => line.includes("upstream"));
    },
    fetch: (path, { from, ...init } = {}) => {
      const sent = new Headers(init.headers);
      if (from !== undefined) sent.set(clientHeader, from);
      return fetch(url + path, {
        redirect: "manual",
        ...init,
        headers: sent,
        tls: { ca: authority },
      });
    },
  };
}
