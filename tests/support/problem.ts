import { expect } from "bun:test";

/** The body of an answer that must be a problem: its type, and the id of its request. */
export async function problemOf(response: Response): Promise<Record<string, unknown>> {
  expect(response.headers.get("Content-Type")).toBe("application/problem+json");
  const problem = (await response.json()) as Record<string, unknown>;
  expect(problem["status"]).toBe(response.status);
  expect(problem["type"]).toBe(`urn:instant:problem:${problem["code"]}`);
  for (const member of ["title", "detail"]) expect(problem[member]).toBeString();
  expect(problem["requestId"]).toBe(response.headers.get("X-Request-Id"));
  return problem;
}
