import { describe, expect, test } from "bun:test";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { authOperations } from "../../src/auth/app.ts";
import { openHttpServer } from "../../src/core/http/server.ts";
import { silentLog } from "../../src/core/log.ts";
import { routeOf } from "../../src/core/openapi/create-document.ts";
import { preferenceOperations } from "../../src/email/preferences/preferences-page.tsx";
import { readCodeBlocks } from "../support/code-blocks.ts";
import type { SignInWorld } from "../support/sign-in-world.ts";
import { openEmbeddedWorld, problemOf } from "../support/sign-in-world.ts";

const page = "docs/api.md";

/** The world behind a real port, and a shell that asks it with curl. */
async function serve(world: SignInWorld) {
  const server = openHttpServer({
    fetch: world.app.fetch,
    hostname: "127.0.0.1",
    port: 0,
    log: silentLog,
  });
  await server.start();
  const run = async (script: string, environment: Record<string, string> = {}) => {
    const options = ["-o", "pipefail", "-ec"];
    const child = Bun.spawn(["bash", ...options, script], {
      env: { PATH: process.env["PATH"] ?? "", ...environment },
      stdout: "pipe",
      stderr: "pipe",
    });
    return { output: await new Response(child.stdout).text(), exitCode: await child.exited };
  };
  return Object.assign(server, { run });
}

const unescaped = (html: string) =>
  html
    .replaceAll("&quot;", '"')
    .replaceAll("&#39;", "'")
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&amp;", "&");

/** The examples of the page for people, by the operation they stand under. */
function readExamples(html: string): ReadonlyMap<string, string> {
  const articles = html.matchAll(/<article id="(\w+)"[\s\S]*?<pre><code>([\s\S]*?)<\/code>/g);
  return new Map([...articles].map(([, id = "", code = ""]) => [id, unescaped(code)]));
}

describe("the page /docs", () => {
  test("shows for every call an example that works, in the order of a person's way", async () => {
    await using world = await openEmbeddedWorld();
    await using server = await serve(world);
    const answer = await fetch(`${server.url}/docs`);
    const examples = readExamples(await answer.text());
    expect([...examples.keys()].toSorted()).toEqual(authOperations.map(({ id }) => id).toSorted());

    let token = "";
    let session = "";
    const run = async (id: string) => {
      const example = examples.get(id) ?? "";
      const script = example
        .replace("curl", "curl -sS --fail-with-body")
        .replaceAll("123456", () => world.publisher.code)
        .replace("gXvV0sYQkLZ8w2nTfJm3Eg", session);
      const { output, exitCode } = await server.run(script, { TOKEN: token });
      expect({ id, output, exitCode }).toMatchObject({ exitCode: 0 });
      return output === "" ? {} : (JSON.parse(output) as Record<string, unknown>);
    };
    const signIn = async () => {
      await run("requestCode");
      token = String((await run("verifyCode"))["token"]);
    };

    await signIn();
    const current = (await run("getCurrentSession")) as { session: { id: string } };
    session = current.session.id;
    for (const id of ["listSessions", "revokeOtherSessions", "revokeSession"]) await run(id);
    await world.clock.advance(60_000);
    await signIn();
    for (const id of ["getUser", "getMe", "changeUser", "logout"]) await run(id);
    await world.clock.advance(60_000);
    await signIn();
    await run("requestEmailCode");
    expect(await run("changeEmail")).toMatchObject({ email: "ana@example.org", username: "ana" });
    await run("requestDeletionCode");
    await run("deleteUser");
    for (const id of ["getHealth", "getLiveness", "getReadiness"]) await run(id);
  });

  test("needs nothing from elsewhere, and no script", async () => {
    await using world = await openEmbeddedWorld();
    const answer = await world.request("/docs");
    expect(answer.headers.get("Content-Security-Policy")).toContain("default-src 'none'");
    const html = await answer.text();
    expect(html).not.toContain("<script");
    expect([...html.matchAll(/(?:src|href)="(?![#/]|data:)[^"]*"/g)]).toEqual([]);
  });

  test("shows PUBLIC_URL in its examples when it is set", async () => {
    const publicOrigin = "https://sign-in.example.com";
    const boundary = { trustedProxies: [], corsOrigins: [], publicOrigin };
    await using world = await openEmbeddedWorld({ boundary });
    const html = await (await world.request("/docs")).text();
    expect(html).toContain(`curl -X POST ${publicOrigin}/auth/request-code`);
    const document = await (await world.request("/openapi.json")).json();
    expect(document).toMatchObject({ openapi: "3.1.0", servers: [{ url: publicOrigin }] });
  });
});

describe("docs/api.md", () => {
  const bash = readCodeBlocks(page, "bash");
  const blockWith = (words: string) => bash.find((block) => block.includes(words)) ?? "";

  test.each([page, "README.md"])("and all calls with their methods: %s names them", (file) => {
    const text = readFileSync(file, "utf8");
    const routes = text.matchAll(/`(GET|POST|PATCH|DELETE) (\/[\w/{}-]*)/g);
    const named = new Set([...routes].map(([, method, path]) => `${method} ${path}`));
    const operations = [...authOperations, ...preferenceOperations];
    const calls = operations.map(({ method, path }) => `${method.toUpperCase()} ${path}`);
    expect(calls.filter((call) => !named.has(call))).toEqual([]);
    expect([...named].filter((call) => !calls.includes(call))).toEqual([]);
  });

  test("shows calls that work", async () => {
    await using world = await openEmbeddedWorld();
    await using server = await serve(world);
    const run = (block: string, environment = {}) =>
      server.run(
        block
          .replaceAll("curl ", "curl -sS --fail-with-body ")
          .replaceAll("http://localhost:8080", server.url)
          .replaceAll("123456", () => world.publisher.code),
        environment,
      );
    expect((await run(blockWith("/auth/request-code"))).exitCode).toBe(0);
    const { output, exitCode } = await run(blockWith("/auth/verify-code"));
    expect(exitCode).toBe(0);
    expect(output).toContain('"current":true');
    expect(output).toContain('"username":"ana"');
    await world.clock.advance(60_000);
    const { token } = await world.signIn("ana@example.com");
    const block = blockWith("/auth/session ");
    const checked = await run(block, { TOKEN: token });
    const shown = [...(block.match(/^# (.*)$/m)?.[1] ?? "").matchAll(/"(\w+)":/g)];
    expect(shown).toHaveLength(6);
    for (const [, name] of shown) expect(checked.output).toContain(`"${name}":`);
  });

  test("shows a function by which another service finds out who is signed in", async () => {
    await using world = await openEmbeddedWorld();
    await using server = await serve(world);
    const { token, user } = await world.signIn("ana@example.com");
    const [program = ""] = readCodeBlocks(page, "ts");
    const path = `${import.meta.dir}/api-docs-${crypto.randomUUID()}.ts`;
    writeFileSync(path, program.replace("http://localhost:8080", server.url));
    try {
      const { findUser } = (await import(path)) as {
        findUser: (request: Request) => Promise<unknown>;
      };
      const asked = (headers: Record<string, string>) =>
        findUser(new Request("http://other.example/", { headers }));
      expect(await asked({ Authorization: `Bearer ${token}` })).toEqual(user);
      expect(await asked({ Cookie: `theme=dark; session_id=${token}` })).toEqual(user);
      expect(await asked({})).toBeUndefined();
      expect(await asked({ Cookie: `session_id=${"a".repeat(43)}` })).toBeUndefined();
      await server.stop();
      await expect(asked({ Authorization: `Bearer ${token}` })).rejects.toThrow();
    } finally {
      rmSync(path);
    }
  });
});

test("the document has every route that answers JSON, and no other", async () => {
  await using world = await openEmbeddedWorld();
  const routes = world.app.routes.filter(({ method }) => method !== "ALL");
  const apiRoutes = routes.map(({ method, path }) => `${method} ${path}`);
  const documented = authOperations.map(
    (operation) => `${operation.method.toUpperCase()} ${routeOf(operation)}`,
  );
  const others = apiRoutes.filter((route) => !documented.includes(route));
  expect(documented.filter((call) => !apiRoutes.includes(call))).toEqual([]);
  expect(others.filter((route) => /^\w+ \/(?:auth|users|health|livez|readyz)/.test(route))).toEqual(
    [],
  );
});

/** The methods of each path, the path with its examples filled in. */
const methodsByPath = new Map<string, string[]>();
for (const { method, path, pathParameters } of authOperations) {
  const filled = Object.entries(pathParameters ?? {}).reduce(
    (text, [name, { example }]) => text.replace(`{${name}}`, example),
    path,
  );
  const methods = methodsByPath.get(filled) ?? [];
  methods.push(method.toUpperCase(), ...(method === "get" ? ["HEAD"] : []));
  methodsByPath.set(filled, methods);
}

describe.each([...methodsByPath])("%s", (path, methods) => {
  test("takes the documented methods, and names them in the answer to any other", async () => {
    await using world = await openEmbeddedWorld();
    const others = ["OPTIONS", "PUT", "DELETE", "GET", "PATCH"].filter(
      (method) => !methods.includes(method),
    );
    for (const method of others) {
      const answer = await world.request(path, { method });
      expect(answer.headers.get("Allow")?.split(", ").toSorted()).toEqual(methods.toSorted());
      expect(await problemOf(answer)).toMatchObject({ status: 405, code: "method_not_allowed" });
    }
  });
});

test("what has not the shape of a session's id is no session, and nothing else", async () => {
  await using world = await openEmbeddedWorld();
  const { token } = await world.signIn("ana@example.com");
  for (const id of ["x", "-", "x".repeat(23)]) {
    const answer = await world.request(`/auth/sessions/${id}`, { method: "DELETE", token });
    expect(await problemOf(answer)).toMatchObject({ status: 404, code: "not_found" });
  }
});
