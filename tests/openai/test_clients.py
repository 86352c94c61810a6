"""Real clients of OpenAI's API at the gateway, with the real CLI."""

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support import model_api
from tests.support.clients import (
    PROGRAMS,
    PYTHON,
    errors_of_stories,
    link_packages,
    run_client,
    run_client_of_both,
    run_node,
    stories_in,
)
from tests.support.gateway import ROOT, Gateway, eventually
from tests.support.real_cli import API_KEY, openai_settings

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

SDK = PROGRAMS / "openai_sdk.py"
LANGCHAIN = PROGRAMS / "langchain_tools.py"
BUSY = "a_full_gateway_is_asked_again"
STORIES = [story for story in stories_in(SDK) if story != BUSY]
#: The examples that use the OpenAI API.
EXAMPLES = sorted(
    path
    for path in (ROOT / "examples").iterdir()
    if path.suffix in (".py", ".sh", ".mjs")
    and "OPENAI_BASE_URL" in path.read_text(encoding="utf-8")
)


def run(command: list[str], gateway: Gateway, home: Path, **variables: str) -> str:
    """What a client of OpenAI's API prints; it must succeed."""
    where = {"OPENAI_BASE_URL": f"{gateway.url}/v1", "OPENAI_API_KEY": API_KEY}
    # LiteLLM would fetch the models' prices.
    return run_client(command, home, **where, LITELLM_LOCAL_MODEL_COST_MAP="True", **variables)


@pytest.fixture(scope="module")
def errors(face: Gateway, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str | None]:
    """What went wrong in each of the SDK's stories."""
    return errors_of_stories(run, face, tmp_path_factory.mktemp("home"), SDK)


@pytest.mark.parametrize("story", STORIES)
def test_the_python_sdk(errors: dict[str, str | None], story: str) -> None:
    assert errors[story] is None, errors[story]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_runs(face: Gateway, example: Path, tmp_path: Path) -> None:
    program = tmp_path / example.name
    shutil.copy(example, program)
    link_packages(tmp_path)
    runners = {".sh": ["bash"], ".py": [str(PYTHON)], ".mjs": ["node"]}
    output = run([*runners[example.suffix], str(program)], face, tmp_path)
    assert "said" in output, output


def test_the_example_with_a_tool_answers_its_call(face: Gateway, tmp_path: Path) -> None:
    command = [str(PYTHON), str(ROOT / "examples/openai_tools.py")]
    output = run(command, face, tmp_path, PROMPT='call: weather {"city": "Paris"}')
    assert output.splitlines()[0] == 'weather: {"city": "Paris"} -> It is sunny in Paris.'
    assert "sunny in Paris" in output.splitlines()[-1]


def test_every_client_has_an_example() -> None:
    text = "\n".join(example.read_text(encoding="utf-8") for example in EXAMPLES)
    for name in ("from openai", 'from "openai"', "langchain_openai", "litellm", "llm ", "curl"):
        assert name in text


def test_litellm_and_langchain_know_the_errors(face: Gateway, tmp_path: Path) -> None:
    program = """
import litellm, openai
litellm.suppress_debug_info = True
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

long = "fail: 400 invalid_request_error prompt is too long: 250000 tokens > 200000 maximum"
ask = [{"role": "user", "content": long}]
try:
    litellm.completion(model="openai/sonnet", messages=ask, max_retries=0)
except litellm.ContextWindowExceededError:
    print("litellm")

class Number(BaseModel):
    n: int

claude = ChatOpenAI(model="sonnet", max_retries=0)
print(claude.with_structured_output(Number, method="json_schema").invoke('json: {"n": 7}'))
try:
    claude.invoke(long)
except openai.BadRequestError as error:
    print("langchain", error.code)
"""
    output = run([str(PYTHON), "-c", program], face, tmp_path)
    assert output.splitlines()[-3:] == ["litellm", "n=7", "langchain context_length_exceeded"]


def test_httpx_sse_finds_data_in_every_event(
    start_gateway: Callable[..., Gateway], tmp_path: Path
) -> None:
    """It takes a lone `retry:` and a comment with a blank line behind it for events."""
    gateway = start_gateway(HEARTBEAT="0.1", MAX_JOBS="1")
    first = gateway.chat("silent")
    # It waits for its turn, then it is silent, then it speaks.
    job = gateway.post("chatter 3 0.5\nresult ok", detach=True)
    stream = iter(job.raw.stream(10))
    assert next(stream).startswith(b": queued 1")
    job.close()
    first.close()
    program = f"""
import json, httpx
from httpx_sse import connect_sse
with httpx.Client(trust_env=False, auth={gateway.auth!r}, timeout=20) as client:
    with connect_sse(client, "GET", "{gateway.url}/chat/{job.headers["X-Process-ID"]}") as source:
        for event in source.iter_sse():
            assert event.data and event.id, event
            print(event.event, event.retry, event.data[:6])
"""
    assert run([str(PYTHON), "-c", program], gateway, tmp_path).splitlines() == [
        "message 1000 line 0",
        "message None line 1",
        "message None line 2",
        'message None {"subt',
        'done None {"proc',
    ]


def test_the_node_sdk(face: Gateway, tmp_path: Path) -> None:
    program = """
import OpenAI from "openai";
const client = new OpenAI({ maxRetries: 0 });
const ask = (content, rest) => client.chat.completions.create(
  { model: "sonnet", messages: [{ role: "user", content }], ...rest });
const whole = await ask("hello");
console.log(whole.choices[0].message.content, whole.usage.total_tokens > 0);
const failed = async (promise, kind) => {
  try { await promise; console.log("no error"); }
  catch (error) { console.log(error instanceof kind, error.code); }
};
await failed(ask("hello", { n: 3 }), OpenAI.BadRequestError);
await failed(ask("fail: 429 rate_limit_error slow down"), OpenAI.RateLimitError);
const broken = async () => {
  for await (const chunk of await ask("break: a b", { stream: true })) {
    if (chunk.choices[0].finish_reason) console.log("a false end");
  }
};
await failed(broken(), OpenAI.APIError);
"""
    assert run_node(run, face, tmp_path, program) == [
        "You said: hello true",
        "true unsupported_parameter",
        "true rate_limit_exceeded",
        "true cli_failed",
    ]


def test_the_clients_for_node_call_tools(face: Gateway, tmp_path: Path) -> None:
    program = (PROGRAMS / "node_tools.mjs").read_text(encoding="utf-8")
    assert run_node(run, face, tmp_path, program) == [
        "openai true",
        *("@ai-sdk/openai 2 true", "@ai-sdk/openai true true", "@ai-sdk/openai 7"),
        "@ai-sdk/openai-compatible 2 true",
        "@ai-sdk/openai-compatible true true",
        "@ai-sdk/openai-compatible 7",
    ]


@pytest.fixture(scope="module")
def langchain(face: Gateway, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str | None]:
    """What went wrong in each of LangChain's stories."""
    home = tmp_path_factory.mktemp("home")
    return errors_of_stories(run_client_of_both, face, home, LANGCHAIN)


@pytest.mark.parametrize("story", stories_in(LANGCHAIN))
def test_langchain(langchain: dict[str, str | None], story: str) -> None:
    assert langchain[story] is None, langchain[story]


def test_a_full_gateway_is_asked_again_by_the_sdk(
    claude: Path,
    model: model_api.Server,
    start_gateway: Callable[..., Gateway],
    tmp_path: Path,
) -> None:
    gateway = start_gateway(claude, **openai_settings(model), MAX_JOBS="1", QUEUE_SIZE="0")
    job = gateway.chat("wait: 60").job_id
    with ThreadPoolExecutor(1) as pool:
        stories = pool.submit(errors_of_stories, run, gateway, tmp_path, SDK, BUSY)
        # There is room at its second attempt, ten seconds after the first.
        eventually(lambda: "429 for " in gateway.log() or stories.done(), patience=60)
        gateway.ask("DELETE", f"/chat/{job}")
        assert stories.result() == {BUSY: None}
