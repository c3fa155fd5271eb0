import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { silentLog } from "../../src/core/log.ts";
import { openRedis } from "../../src/core/redis/client.ts";
import { choosePort } from "../../support/engines/server.ts";
import type { OwnRedis } from "../../support/own-redis.ts";
import { hasRedisServer, openOwnRedis } from "../../support/own-redis.ts";
import { testCertificates } from "../../support/smtp-sink/listener.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

describe.skipIf(!hasRedisServer())("a Redis with a certificate of a private authority", () => {
  const { authority, good } = testCertificates();
  const directory = temporaryDirectory();
  let redis: OwnRedis | undefined;
  let port = 0;

  beforeAll(async () => {
    const [cert, key] = [join(directory.path, "cert.pem"), join(directory.path, "key.pem")];
    writeFileSync(cert, good.cert);
    writeFileSync(key, good.key);
    port = await choosePort(0);
    const tls = ["--tls-cert-file", cert, "--tls-key-file", key, "--tls-auth-clients", "no"];
    redis = await openOwnRedis({ args: ["--tls-port", String(port), ...tls] });
  });

  afterAll(async () => {
    await redis?.[Symbol.asyncDispose]();
    directory[Symbol.dispose]();
  });

  async function ask(ca: string | undefined): Promise<string> {
    const login = { username: undefined, password: undefined, db: 0 };
    const connection = { host: "127.0.0.1", port, ...login, tls: true, ca };
    await using client = await openRedis({ connection, log: silentLog });
    return client.connection;
  }

  test("is trusted when its authority is given", async () => {
    expect(await ask(authority)).toBe("connected");
  });

  test("is not trusted without", async () => {
    expect(await ask(undefined)).toBe("disconnected");
  });
});
