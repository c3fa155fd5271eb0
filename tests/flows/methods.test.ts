import { describe, expect, test } from "bun:test";
import { authOperations } from "../../src/auth/docs-routes.ts";
import { problemOf } from "../support/problem.ts";
import { openEmbeddedWorld } from "../support/sign-in-world.ts";

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
  test("takes the documented methods, and names them to who asks with another", async () => {
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
