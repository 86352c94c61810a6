"""Real clients of Anthropic's API at the gateway, with the real CLI."""

import shutil
from pathlib import Path

import pytest

from tests.support.clients import (
    PROGRAMS,
    PYTHON,
    errors_of_stories,
    run_claude_code,
    run_client,
    run_node,
    stories_in,
)
from tests.support.gateway import ROOT, Gateway
from tests.support.real_cli import API_KEY

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

SDK = PROGRAMS / "anthropic_sdk.py"


def run(command: list[str], gateway: Gateway, home: Path, **variables: str) -> str:
    """What a client of Anthropic's API prints; it must succeed."""
    where = {"ANTHROPIC_BASE_URL": gateway.url, "ANTHROPIC_API_KEY": API_KEY}
    return run_client(command, home, **where, **variables)


@pytest.fixture(scope="module")
def errors(face: Gateway, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str | None]:
    """What went wrong in each of the SDK's stories."""
    return errors_of_stories(run, face, tmp_path_factory.mktemp("home"), SDK)


@pytest.mark.parametrize("story", stories_in(SDK))
def test_the_python_sdk(errors: dict[str, str | None], story: str) -> None:
    assert errors[story] is None, errors[story]


def test_claude_code_uses_its_own_tools_on_its_side(
    face: Gateway, claude: Path, tmp_path: Path
) -> None:
    run_claude_code(run, face, claude, tmp_path, "sonnet")
    newest, *_ = face.ask("GET", "/jobs").json()["jobs"]
    assert newest["title"].startswith("bash: touch")


def test_the_clients_for_node(face: Gateway, tmp_path: Path) -> None:
    program = """
import Anthropic from "@anthropic-ai/sdk";
import { createAnthropic } from "@ai-sdk/anthropic";
import { generateText, jsonSchema, stepCountIs, streamText, tool } from "ai";
globalThis.AI_SDK_LOG_WARNINGS = false;
const client = new Anthropic({ maxRetries: 0 });
const ask = (content) => (
  { model: "sonnet", max_tokens: 100, messages: [{ role: "user", content }] });
const message = await client.messages.stream(ask("think: hello")).finalMessage();
console.log(message.content.map((block) => block.type).join(), message.stop_reason);
try { await client.messages.create(ask("fail: 429 rate_limit_error slow down")); }
catch (error) { console.log(error instanceof Anthropic.RateLimitError, error.requestID != null); }

const provider = createAnthropic({ baseURL: `${process.env.ANTHROPIC_BASE_URL}/v1` });
const model = provider("sonnet");
const weather = tool({
  inputSchema: jsonSchema({ type: "object", properties: { city: { type: "string" } } }),
  execute: async ({ city }) => `it rains in ${city}`,
});
const { text, steps } = await generateText({
  model, tools: { weather }, stopWhen: stepCountIs(3), maxRetries: 0,
  prompt: 'call: weather {"city": "Oslo"}',
});
console.log(steps.length, text.includes("it rains in Oslo"));
const stream = streamText({ model, prompt: "hello" });
for await (const part of stream.textStream) process.stdout.write(part);
console.log();
"""
    assert run_node(run, face, tmp_path, program) == [
        "thinking,text end_turn",
        "true true",
        "2 true",
        "You said: hello",
    ]


@pytest.mark.parametrize("example", ["anthropic_sdk.py"])
def test_an_example_runs(face: Gateway, example: str, tmp_path: Path) -> None:
    program = tmp_path / example
    shutil.copy(ROOT / "examples" / example, program)
    assert "You said" in run([str(PYTHON), str(program)], face, tmp_path)
