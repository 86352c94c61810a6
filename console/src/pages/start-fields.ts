/** The fields of POST /chat, as its schema in /openapi.json describes them. Pure. */

export type Kind = "text" | "long" | "number" | "choice" | "switch" | "lines" | "json";

export interface Field {
  name: string;
  kind: Kind;
  description: string;
  /** Of a `choice`, or what the items of `lines` may be. */
  choices: string[];
  /** Whether a text may also be a number or a switch: `5m` or `300`. */
  mixed: boolean;
  least?: number;
  most?: number;
  longest?: number;
  example: string;
}

export interface Schema {
  type?: string;
  description?: string;
  enum?: unknown[];
  format?: string;
  items?: Schema;
  anyOf?: Schema[];
  minimum?: number;
  maximum?: number;
  maxLength?: number;
  examples?: unknown[];
  properties?: Record<string, Schema>;
  $ref?: string;
}

interface Document {
  paths: Record<string, { post?: { requestBody?: { content: Record<string, { schema: Schema }> } } }>;
  components?: { schemas?: Record<string, Schema> };
}

/** All fields of the body of POST /chat; none if the document has no such body. */
export function fieldsOf(document: Document): Field[] {
  const content = document.paths["/chat"]?.post?.requestBody?.content;
  const schema = content?.["application/json"]?.schema;
  const name = schema?.$ref?.split("/").at(-1);
  const found = name === undefined ? schema : document.components?.schemas?.[name];
  return Object.entries(found?.properties ?? {}).map(([each, about]) => fieldOf(each, about));
}

export function fieldOf(name: string, schema: Schema): Field {
  const options = (schema.anyOf ?? [schema]).filter((each) => each.type !== "null");
  const texts = options.find((each) => each.type === "string");
  const main = texts ?? options[0] ?? {};
  const example = schema.examples?.[0];
  const about: Field = {
    name,
    kind: kindOf(main, schema),
    description: schema.description ?? "",
    choices: (main.enum ?? main.items?.enum ?? []).map(String),
    mixed: texts !== undefined && options.length > 1,
    example: example === undefined ? "" : asText(example),
  };
  if (main.minimum !== undefined) about.least = main.minimum;
  if (main.maximum !== undefined) about.most = main.maximum;
  if (main.maxLength !== undefined) about.longest = main.maxLength;
  return about;
}

function kindOf(main: Schema, whole: Schema): Kind {
  if (main.enum) return "choice";
  switch (main.type) {
    case "boolean":
      return "switch";
    case "integer":
    case "number":
      return "number";
    case "array":
      return main.items?.type === "string" ? "lines" : "json";
    case "object":
      return "json";
    default: {
      const short = main.maxLength ?? main.format ?? whole.format ?? whole.examples;
      return short === undefined && (whole.anyOf?.length ?? 0) <= 2 ? "long" : "text";
    }
  }
}

function asText(example: unknown): string {
  if (typeof example === "string") return example;
  if (Array.isArray(example)) return example.join("\n");
  return JSON.stringify(example);
}

/**
 * The value that was typed into a field; undefined for an empty one, which is left out.
 * Raises Error with a sentence for the field.
 */
export function valueOf(field: Field, typed: string): unknown {
  const text = typed.trim();
  if (text === "") return undefined;
  switch (field.kind) {
    case "switch":
      return text === "true";
    case "number":
      return numberOf(text);
    case "lines":
      if (text === "[]") return [];
      return text.split("\n").map((line) => line.trim()).filter((line) => line !== "");
    case "json":
      return jsonOf(text);
    default:
      return field.mixed ? mixedOf(text) : field.kind === "long" ? typed : text;
  }
}

function numberOf(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value)) throw new Error("This must be a number.");
  return value;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`This is not JSON: ${(error as Error).message}`);
  }
}

function mixedOf(text: string): unknown {
  if (text === "true" || text === "false") return text === "true";
  return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
}

/** What to type into a field for a value. */
export function typedOf(value: unknown): string {
  if (value === undefined || value === null) return "";
  if (Array.isArray(value) && value.every((each) => typeof each === "string")) {
    return value.length === 0 ? "[]" : value.join("\n");
  }
  return typeof value === "object" ? JSON.stringify(value, null, 2) : String(value);
}
