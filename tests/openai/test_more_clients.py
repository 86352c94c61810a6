"""More clients of the chat APIs, each in an environment of its own, with the real CLI.

`scripts/test --clients` makes the environments and runs these tests.
"""

import json
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import requests

from tests.support import model_api
from tests.support.clients import PROGRAMS, PYTHON, errors_of_stories
from tests.support.clients import run_client_of_both as run
from tests.support.gateway import ROOT, Gateway, eventually, free_port
from tests.support.real_cli import API_KEY

pytestmark = [pytest.mark.clients, pytest.mark.timeout(400)]

#: The environments.
FOLDER = ROOT / "venv-more-clients"


@pytest.mark.parametrize(
    ("environment", "program"),
    [
        ("pydantic-ai", "pydantic_ai_agent.py"),
        ("instructor", "instructor_models.py"),
        ("llama-index", "llama_index_tools.py"),
        ("litellm", "litellm_tools.py"),
    ],
)
def test_a_client_finds_what_it_expects(
    face: Gateway, tmp_path: Path, environment: str, program: str
) -> None:
    python = FOLDER / environment / "bin/python"
    errors = errors_of_stories(run, face, tmp_path, PROGRAMS / program, python=python)
    assert errors and not any(errors.values()), errors


@pytest.fixture
def proxy(face: Gateway, tmp_path: Path) -> Iterator[str]:
    """A LiteLLM proxy with the gateway's models, by each of the two APIs."""
    key = {"api_key": API_KEY}
    models = [
        {"model": "openai/sonnet", "api_base": f"{face.url}/v1", **key},
        {"model": "anthropic/claude-sonnet-4-5", "api_base": face.url, **key},
    ]
    names = ("by-openai", "by-anthropic")
    config = {
        "model_list": [
            {"model_name": name, "litellm_params": model}
            for name, model in zip(names, models, strict=True)
        ],
        # Otherwise it asks OpenAI's models by the Responses API.
        "litellm_settings": {"use_chat_completions_url_for_anthropic_messages": True},
    }
    file = tmp_path / "proxy.yaml"
    # Each JSON text is a YAML text.
    file.write_text(json.dumps(config), encoding="utf-8")
    port = free_port()
    with (tmp_path / "proxy.log").open("wb") as log:
        process = subprocess.Popen(
            [
                *(FOLDER / "litellm/bin/litellm", "--config", file, "--telemetry", "False"),
                *("--host", "127.0.0.1", "--port", str(port)),
            ],
            env={
                "PATH": "/usr/bin:/bin",
                "HOME": str(tmp_path),
                "LITELLM_LOCAL_MODEL_COST_MAP": "True",
                "LITELLM_MASTER_KEY": f"sk-{API_KEY}",
            },
            cwd=tmp_path,
            stdout=log,
            stderr=log,
        )
    url = f"http://127.0.0.1:{port}"

    def is_alive() -> bool:
        assert process.poll() is None, (tmp_path / "proxy.log").read_text(encoding="utf-8")
        try:
            return requests.get(f"{url}/health/liveliness", timeout=5).ok
        except requests.ConnectionError:
            return False

    try:
        eventually(is_alive, patience=180)
        yield url
    finally:
        process.kill()
        process.wait()


def test_the_sdks_find_the_models_behind_a_proxy(face: Gateway, tmp_path: Path, proxy: str) -> None:
    home = tmp_path / "home"
    home.mkdir()
    key = f"sk-{API_KEY}"
    variables = {"OPENAI_BASE_URL": f"{proxy}/v1", "ANTHROPIC_BASE_URL": proxy}
    variables |= {"OPENAI_API_KEY": key, "ANTHROPIC_API_KEY": key}
    program = PROGRAMS / "through_a_proxy.py"
    errors = errors_of_stories(partial(run, **variables), face, home, program)
    assert errors and not any(errors.values()), errors


def test_aider_edits_a_file(face: Gateway, model: model_api.Server, tmp_path: Path) -> None:
    page = (ROOT / "docs/openai.md").read_text(encoding="utf-8")
    settings = page[page.index("- name: openai/sonnet") :].partition("```")[0]
    settings = settings.replace("diff", "whole")
    (tmp_path / ".aider.model.settings.yml").write_text(settings, encoding="utf-8")
    (tmp_path / "hello.txt").touch()
    # The model says what it was asked, which is an edit in the format that aider reads.
    asked = "hello\n\nhello.txt\n```\nwritten by aider\n```\n"
    (tmp_path / "asked").write_text(asked, encoding="utf-8")
    options = ("git", "check-update", "show-model-warnings", "pretty", "detect-urls")
    command = [
        *(str(FOLDER / "aider/bin/aider"), "--model", "openai/sonnet"),
        *(f"--no-{option}" for option in options),
        *("--yes-always", "--analytics-disable", "--map-tokens", "0"),
        *("--message-file", "asked", "hello.txt"),
    ]
    output = run(command, face, tmp_path, OPENAI_API_BASE=f"{face.url}/v1")
    assert "Applied edit to hello.txt" in output, output
    assert (tmp_path / "hello.txt").read_text(encoding="utf-8") == "written by aider\n"
    # In model mode, as the page says.
    assert model.asked[-1].get("tools", []) == []


@pytest.fixture
def llm(face: Gateway, tmp_path: Path) -> list[str]:
    """The command llm with the gateway's model."""
    model = {
        "model_id": "gateway",
        "model_name": "sonnet",
        "api_base": f"{face.url}/v1",
        "api_key_name": "gateway",
        "supports_tools": True,
        "supports_schema": True,
    }
    file = tmp_path / "extra-openai-models.yaml"
    file.write_text(json.dumps([model]), encoding="utf-8")
    return [str(PYTHON.parent / "llm"), "--model", "gateway", "--key", API_KEY, "--no-log"]


def test_the_command_llm_runs_a_tool(face: Gateway, tmp_path: Path, llm: list[str]) -> None:
    tool = 'def weather(city: str) -> str:\n    "The weather."\n    return f"it rains in {city}"'
    command = [*llm, "--functions", tool, 'call: weather {"city": "Oslo"}']
    assert "it rains in Oslo" in run(command, face, tmp_path, LLM_USER_PATH=str(tmp_path))


def test_the_command_llm_gets_json(face: Gateway, tmp_path: Path, llm: list[str]) -> None:
    command = [*llm, "--schema", "n int", 'json: {"n": 7}']
    assert json.loads(run(command, face, tmp_path, LLM_USER_PATH=str(tmp_path))) == {"n": 7}
