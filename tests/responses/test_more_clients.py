"""More clients of the Responses API, with the real CLI.

`scripts/test --clients` makes their environments and runs these tests.
"""

import json
from pathlib import Path

import pytest

from tests.support.clients import PROGRAMS, errors_of_stories, run_node
from tests.support.clients import run_client_of_both as run
from tests.support.gateway import ROOT, Gateway

pytestmark = [pytest.mark.clients, pytest.mark.timeout(400)]

AGENTS = ROOT / "venv-more-clients/openai-agents/bin/python"
CODEX = ROOT / "tests/node/codex/node_modules/.bin/codex"


@pytest.mark.parametrize("program", ["agents_sdk.py", "open_responses.py"])
def test_a_client_finds_what_it_expects(face: Gateway, tmp_path: Path, program: str) -> None:
    errors = errors_of_stories(run, face, tmp_path, PROGRAMS / program, python=AGENTS)
    assert errors and not any(errors.values()), errors


def test_codex_carries_out_a_task(face: Gateway, tmp_path: Path) -> None:
    settings = tmp_path / ".codex/config.toml"
    settings.parent.mkdir()
    settings.write_text(
        f"""
model = "sonnet"
model_provider = "gateway"

[model_providers.gateway]
name = "gateway"
base_url = "{face.url}/v1"
env_key = "OPENAI_API_KEY"
wire_api = "responses"
""",
        encoding="utf-8",
    )
    made = tmp_path / "made.txt"
    call = json.dumps({"cmd": f"echo made by codex > {made}"})
    options = ("--skip-git-repo-check", "--sandbox", "danger-full-access")
    output = run([str(CODEX), "exec", *options, f"call: exec_command {call}"], face, tmp_path)
    assert made.read_text(encoding="utf-8") == "made by codex\n"
    assert "The tool said" in output.splitlines()[-1]


def test_the_clients_for_node(face: Gateway, tmp_path: Path) -> None:
    program = """
import { createOpenAI } from "@ai-sdk/openai";
import { generateText, jsonSchema, Output, stepCountIs, streamText, tool } from "ai";
import OpenAI from "openai";

globalThis.AI_SDK_LOG_WARNINGS = false;
const city = {
  type: "object", properties: { city: { type: "string" } }, required: ["city"],
  additionalProperties: false,
};
const execute = async ({ city }) => `it rains in ${city}`;
const weather = tool({ description: "The weather", inputSchema: jsonSchema(city), execute });
const model = createOpenAI()("sonnet");
// With `store` it refers to the items of earlier responses, and otherwise sends them.
for (const store of [true, false]) {
  const ask = {
    model, tools: { weather }, stopWhen: stepCountIs(3), maxRetries: 0,
    prompt: 'call: weather {"city": "Oslo"}', providerOptions: { openai: { store } },
  };
  const { text, steps } = await generateText(ask);
  console.log(store, steps.length, text.includes("it rains in Oslo"));
  const stream = streamText(ask);
  await stream.consumeStream();
  console.log((await stream.text).includes("it rains in Oslo"), (await stream.steps).length);
}
const number = {
  type: "object", properties: { n: { type: "number" } }, required: ["n"],
  additionalProperties: false,
};
const schema = jsonSchema(number);
const { output } = await generateText({
  model, maxRetries: 0, prompt: 'json: {"n": 7}', output: Output.object({ schema }),
});
console.log(output.n);

const client = new OpenAI({ maxRetries: 0 });
const stream = client.responses.stream({ model: "sonnet", input: "think: hello" });
console.log((await stream.finalResponse()).output.at(-1).content[0].text);
console.log((await client.responses.create({ model: "sonnet", input: "hi" })).output_text);
const format = { type: "json_schema", name: "number", schema: number };
const parsed = await client.responses.parse({
  model: "sonnet", input: 'json: {"n": 7}', text: { format },
});
console.log(parsed.output_parsed.n);
"""
    assert run_node(run, face, tmp_path, program) == [
        *("true 2 true", "true 2", "false 2 true", "true 2"),
        *("7", "You said: hello", "You said: hi", "7"),
    ]
