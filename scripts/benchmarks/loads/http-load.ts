/**
 * A load as a process of its own, the same for both sides of a row: `bun http-load.ts '<JSON>'`
 * prints `{"perSecond":…}`. Each client has a connection and asks again as soon as it has its
 * answer. Timed is from the last answer of the warm-up to the last one asked for; any answer but 200
 * ends it with exit code 1.
 */
import { HttpConnection } from "./http-connection.ts";
import type { RequestKind } from "./requests.ts";
import { codeRequest, sessionRequest } from "./requests.ts";

export interface HttpLoad {
  readonly url: string;
  readonly kind: RequestKind;
  /** Of `session`: whose. */
  readonly token?: string;
  readonly clients: number;
  readonly warmUp: number;
  readonly requests: number;
}

export interface HttpRate {
  readonly perSecond: number;
}

async function run(load: HttpLoad): Promise<HttpRate> {
  const { clients, warmUp, requests } = load;
  const url = new URL(load.url);
  const asked = sessionRequest(url.host, load.token ?? "");
  const next = (number: number) =>
    load.kind === "session" ? asked : codeRequest(url.host, number);
  const { promise, resolve, reject } = Promise.withResolvers<HttpRate>();
  let [answered, sent, startedAt] = [0, 0, 0];
  const connections: HttpConnection[] = [];
  for (let client = 0; client < clients; client += 1) {
    const connection = await HttpConnection.open(url, ({ status, body }, from) => {
      if (status !== 200) return reject(new Error(`answered ${status}: ${body.slice(0, 500)}`));
      answered += 1;
      if (answered === warmUp) startedAt = performance.now();
      if (answered === warmUp + requests) {
        return resolve({ perSecond: requests / ((performance.now() - startedAt) / 1000) });
      }
      from.send(next(sent++));
    });
    connections.push(connection);
  }
  for (const connection of connections) connection.send(next(sent++));
  return promise.finally(() => {
    for (const connection of connections) connection.close();
  });
}

if (import.meta.main) {
  try {
    console.log(JSON.stringify(await run(JSON.parse(process.argv[2] ?? "") as HttpLoad)));
  } catch (error) {
    console.error((error as Error).message);
    process.exitCode = 1;
  }
}
