import type { CodePurpose } from "../../../src/auth/codes/code.ts";
import type { OpenApiDocument } from "../../../src/core/openapi/create-document.ts";
import type { SeededRandom } from "../seeded-random.ts";
import type { SignInWorld } from "../sign-in-world.ts";
import { AnswerChecker } from "./answer-checker.ts";
import type { DocumentedCall, FuzzedRequest } from "./requests.ts";
import { fuzzRequest } from "./requests.ts";
import type { Hints } from "./schema-values.ts";

export interface FuzzReport {
  /** "requestCode 200": how often each answer came. */
  readonly seen: ReadonlyMap<string, number>;
  /** The first faults, each with the request it came from. */
  readonly faults: readonly string[];
}

const faultsMax = 5;

/** Which of the mailed codes a call takes. */
const purposes: Readonly<Record<string, CodePurpose>> = {
  verifyCode: "sign_in",
  changeEmail: "change_email",
  deleteUser: "delete_account",
};

/** Sends requests made from the document and compares each answer with it. */
export async function fuzzByDocument(
  world: SignInWorld,
  random: SeededRandom,
  requestsCount: number,
): Promise<FuzzReport> {
  const document = (await (await world.request("/openapi.json")).json()) as OpenApiDocument;
  const calls = Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => ({ method, path, operation })),
  );
  const withCodes = calls.filter(({ operation }) => operation.operationId in purposes);
  const checker = new AnswerChecker(document);
  const seen = new Map<string, number>();
  const faults: string[] = [];
  const person = new FuzzedPerson(world, random);
  for (let count = 0; count < requestsCount && faults.length < faultsMax; count += 1) {
    const call = random.pick(random.chance(0.2) ? withCodes : calls);
    if (call === undefined) throw new Error("the document has no calls");
    const request = fuzzRequest(
      call,
      random,
      await person.hints(purposes[call.operation.operationId]),
    );
    const response = await world.request(request.path, request);
    const name = `${call.operation.operationId} ${response.status}`;
    seen.set(name, (seen.get(name) ?? 0) + 1);
    const isOther = request.method !== call.method.toUpperCase() || isLonger(request, call);
    const operation = isOther ? findCall(calls, request)?.operation : call.operation;
    const fault =
      (isOther ? undefined : disagreement(checker, call, request, response)) ??
      (await checker.findFault(operation, response));
    if (fault !== undefined)
      faults.push(`${name}: ${fault}: ${JSON.stringify(request).slice(0, 400)}`);
  }
  return { seen, faults };
}

/** What the document says of a body and what the service says must be the same. */
function disagreement(
  checker: AnswerChecker,
  { operation }: DocumentedCall,
  { json }: FuzzedRequest,
  response: Response,
): string | undefined {
  const schema = operation.requestBody?.content["application/json"]?.schema;
  if (schema === undefined || json === undefined) return undefined;
  const isValid = checker.isValid(schema, json);
  if (isValid && response.status === 422) return "a body that the document allows is refused";
  if (!isValid && response.ok) return "a body that the document forbids is taken";
  return undefined;
}

function isLonger(request: FuzzedRequest, call: DocumentedCall): boolean {
  return request.path.split("/").length !== call.path.split("/").length;
}

/**
 * The call that the request means after its method or path was changed, when there is one. A path
 * without parameters comes before those with some that would match too (OpenAPI 3.1, 4.8.8).
 */
function findCall(calls: readonly DocumentedCall[], { path, method }: FuzzedRequest) {
  const literal = calls.filter((call) => call.path === path);
  const meant = literal.length > 0 ? literal : calls;
  return meant.find((call) => {
    const pattern = new RegExp(`^${call.path.replace(/\{\w+\}/g, "[^/]+")}$`);
    return pattern.test(path) && call.method.toUpperCase() === method;
  });
}

/** Somebody who is signed in, most of the time, and has the codes that were mailed. */
class FuzzedPerson {
  readonly #world: SignInWorld;
  readonly #random: SeededRandom;
  #token = "";
  #requests = 0;

  constructor(world: SignInWorld, random: SeededRandom) {
    this.#world = world;
    this.#random = random;
  }

  async hints(
    purpose: CodePurpose | undefined,
  ): Promise<Hints & { readonly token: readonly string[] }> {
    const { stores, publisher, clock } = this.#world;
    this.#requests += 1;
    if (this.#requests % 20 === 0) await clock.advance(this.#random.below(600_000));
    let session = await stores.sessions.find(this.#token);
    let user = session === undefined ? undefined : await stores.users.findById(session.userId);
    if (session === undefined || user === undefined) {
      const email = `person${this.#random.below(5)}@x.org`;
      ({ user } = await stores.users.signIn({ email, username: undefined }));
      const created = await stores.sessions.create({ userId: user.id, device: "fuzzer" });
      this.#token = created.token;
      session = created.session;
    }
    const mail = publisher.events.findLast(
      ({ data }) => "code" in data && data.purpose === purpose,
    );
    const code = mail?.eventType === "verification_code" ? [mail.data.code] : [];
    const sessions = await stores.sessions.list(user.id);
    return {
      token: [this.#token],
      id: [...sessions.map(({ id }) => id), "x"],
      email: [mail?.recipient ?? user.email],
      code,
      username: ["ana", "Ana", "ben"],
    };
  }
}
