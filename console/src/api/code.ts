/** A request for a job as code in three languages. Pure. */

export interface CodeRequest {
  /** The address of the gateway, without a slash at its end. */
  address: string;
  /** The name to sign in with; "" to sign in with a key. */
  user: string;
  /** The body of POST /chat. */
  body: Record<string, unknown>;
}

export const LANGUAGES = { curl: asCurl, Python: asPython, JavaScript: asJavaScript } as const;
export type Language = keyof typeof LANGUAGES;

/** A command for a POSIX shell; curl asks for the password, a key is in the variable KEY. */
export function asCurl({ address, user, body }: CodeRequest): string {
  const sign = user === "" ? '-H "Authorization: Bearer $KEY"' : `-u ${shell(user)}`;
  return [
    `curl -N ${sign} -H 'Content-Type: application/json' \\`,
    `  --data-binary ${shell(JSON.stringify(body, null, 2))} \\`,
    `  ${shell(`${address}/chat`)}`,
  ].join("\n");
}

/** A program of the standard library; the password or the key is in an environment variable. */
export function asPython({ address, user, body }: CodeRequest): string {
  const header =
    user === ""
      ? ['authorization = "Bearer " + os.environ["KEY"]']
      : [
          `credentials = ${pythonText(`${user}:`)} + os.environ["AUTH_PASSWORD"]`,
          'authorization = "Basic " + base64.b64encode(credentials.encode()).decode()',
        ];
  return [
    ...(user === "" ? [] : ["import base64"]),
    "import json",
    "import os",
    "import urllib.request",
    "",
    `body = ${python(body)}`,
    ...header,
    "request = urllib.request.Request(",
    `    ${pythonText(`${address}/chat`)},`,
    "    json.dumps(body).encode(),",
    '    {"Content-Type": "application/json", "Authorization": authorization},',
    ")",
    "with urllib.request.urlopen(request) as events:",
    "    for line in events:",
    '        print(line.decode(), end="")',
  ].join("\n");
}

/** A module for Node or a browser's page of the gateway. */
export function asJavaScript({ address, user, body }: CodeRequest): string {
  const secret = user === "" ? "process.env.KEY" : "process.env.AUTH_PASSWORD";
  const header =
    user === ""
      ? [`const authorization = "Bearer " + ${secret};`]
      : [
          `const credentials = ${script(`${user}:`)} + ${secret};`,
          'const authorization = "Basic " + Buffer.from(credentials).toString("base64");',
        ];
  return [
    `const body = ${script(body)};`,
    ...header,
    `const response = await fetch(${script(`${address}/chat`)}, {`,
    '  method: "POST",',
    '  headers: { "Content-Type": "application/json", Authorization: authorization },',
    "  body: JSON.stringify(body),",
    "});",
    "const decoder = new TextDecoder();",
    "for await (const chunk of response.body) {",
    "  process.stdout.write(decoder.decode(chunk, { stream: true }));",
    "}",
  ].join("\n");
}

/** A word of a POSIX shell. */
export function shell(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : quoted(text);
}

/** The same, always in quotes. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** JSON is JavaScript, but for these two, which older engines take for ends of lines. */
function script(value: unknown): string {
  return JSON.stringify(value, null, 2).replace(/[\u2028\u2029]/g, escaped);
}

function pythonText(text: string): string {
  // Python reads JSON's escapes.
  return JSON.stringify(text).replace(/[\u007f-\u00a0\u2028\u2029]/g, escaped);
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** A JSON value as a Python literal. */
export function python(value: unknown, indent = ""): string {
  if (value === null) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (typeof value === "string") return pythonText(value);
  if (typeof value !== "object") return String(value);
  const deeper = `${indent}    `;
  const items = Array.isArray(value)
    ? value.map((each) => python(each, deeper))
    : Object.entries(value).map(([name, each]) => `${pythonText(name)}: ${python(each, deeper)}`);
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  if (items.length === 0) return `${open}${close}`;
  return `${open}\n${items.map((item) => `${deeper}${item},\n`).join("")}${indent}${close}`;
}
