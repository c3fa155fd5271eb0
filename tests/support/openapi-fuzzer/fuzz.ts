import type { ValidateFunction } from "ajv";
import { Ajv2020 } from "ajv/dist/2020.js";
import type { CodePurpose } from "../../../src/auth/codes/code-store.ts";
import { parseEmailAddress } from "../../../src/core/email-address.ts";
import type {
  DocumentedOperation,
  DocumentedResponse,
  JsonSchema,
  OpenApiDocument,
} from "../../../src/core/openapi/create-document.ts";
import type { EmailEvent } from "../../../src/email/event.ts";
import type { SeededRandom } from "../seeded-random.ts";
import type { SignInWorld } from "../sign-in-world.ts";
import type { DocumentedCall, FuzzedRequest, Hints } from "./requests.ts";
import { fuzzRequest } from "./requests.ts";

interface FuzzReport {
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
  const withCodes = calls.filter(
    ({ operation: { operationId } }) =>
      operationId in purposes || operationId === "undoEmailChange",
  );
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
  ): Promise<Hints & { readonly session: readonly string[] }> {
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
    const newest = (wanted: CodePurpose | undefined) =>
      publisher.events.findLast(({ data }) => "code" in data && data.purpose === wanted);
    const codeIn = (mail: EmailEvent | undefined) =>
      mail?.eventType === "verification_code" ? [mail.data.code] : [];
    const links = publisher.events.flatMap((event) =>
      event.eventType === "email_change" ? [event.data.undo_link?.replace(/.*\//, "")] : [],
    );
    const mail = newest(purpose);
    const code = codeIn(mail);
    const sessions = await stores.sessions.list(user.id);
    return {
      session: [this.#token],
      token: links.filter(Boolean).slice(-1),
      current_code: codeIn(newest("leave_email")),
      id: [...sessions.map(({ id }) => id), "x"],
      email: [mail?.recipient ?? user.email],
      code,
      username: ["ana", "Ana", "ben"],
    };
  }
}

/** What is answered where no operation is. */
const generalStatuses = [400, 403, 404, 405, 408, 413];

/**
 * Compares answers and bodies with the document, by a validator of JSON Schema that has nothing to
 * do with what the document is made from. Everything it finds is a sentence.
 */
class AnswerChecker {
  readonly #document: OpenApiDocument;
  readonly #ajv: Ajv2020;
  readonly #problem: JsonSchema = { $ref: "#/components/schemas/Problem" };
  readonly #compiled = new Map<JsonSchema, ValidateFunction>();

  constructor(document: OpenApiDocument) {
    this.#document = document;
    this.#ajv = new Ajv2020({
      strict: true,
      allowUnionTypes: true,
      allErrors: true,
      validateFormats: true,
    });
    this.#ajv.addVocabulary(["components"]);
    this.#ajv.addFormat("email", (text) => parseEmailAddress(text) !== undefined);
    this.#ajv.addFormat("uuid", /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    this.#ajv.addFormat("date-time", /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    this.#ajv.addFormat("uri", (text) => URL.canParse(text));
  }

  isValid(schema: JsonSchema, value: unknown): boolean {
    return this.#compile(schema)(value) === true;
  }

  /** Undefined when the answer is as documented. */
  async findFault(
    operation: DocumentedOperation | undefined,
    response: Response,
  ): Promise<string | undefined> {
    const { status } = response;
    const documented = operation?.responses[status];
    if (documented !== undefined) return this.#findFaultIn(documented, response);
    if (operation !== undefined || !generalStatuses.includes(status))
      return `status ${status} is not documented`;
    const content = { "application/problem+json": { schema: this.#problem } };
    return this.#findFaultInBody(content, response);
  }

  async #findFaultIn(documented: DocumentedResponse, response: Response) {
    for (const [name, { required }] of Object.entries(documented.headers)) {
      if (required && !response.headers.has(name)) return `the header ${name} is missing`;
    }
    return this.#findFaultInBody(documented.content ?? {}, response);
  }

  async #findFaultInBody(
    content: NonNullable<DocumentedResponse["content"]>,
    response: Response,
  ): Promise<string | undefined> {
    const text = await response.text();
    if (Object.keys(content).length === 0) return text === "" ? undefined : "there is a body";
    const type = response.headers.get("Content-Type")?.split(";")[0] ?? "none";
    const schema = content[type]?.schema;
    if (schema === undefined) return `the content type ${type} is not documented`;
    const validate = this.#compile(schema);
    return validate(JSON.parse(text)) ? undefined : this.#ajv.errorsText(validate.errors);
  }

  #compile(schema: JsonSchema): ValidateFunction {
    const known = this.#compiled.get(schema);
    if (known !== undefined) return known;
    const { components } = this.#document;
    const compiled = this.#ajv.compile({ ...schema, components });
    this.#compiled.set(schema, compiled);
    return compiled;
  }
}
