import type { ValidateFunction } from "ajv";
import { Ajv2020 } from "ajv/dist/2020.js";
import { parseEmailAddress } from "../../../src/core/email-address.ts";
import type {
  DocumentedOperation,
  DocumentedResponse,
  JsonSchema,
  OpenApiDocument,
} from "../../../src/core/openapi/create-document.ts";

/** What is answered where no operation is. */
const generalStatuses = [400, 403, 404, 405, 408, 413];

/**
 * Compares answers and bodies with the document, by a validator of JSON Schema that has nothing to
 * do with what the document is made from. Everything it finds is a sentence.
 */
export class AnswerChecker {
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
