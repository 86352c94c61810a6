"""What the pages of similar gateways show works here: with another port, key and folder."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests

from tests.support import model_api
from tests.support.clients import PYTHON, run_client, run_node
from tests.support.completions import ANSWER, PNG
from tests.support.gateway import Gateway
from tests.support.real_cli import API_KEY

PASSWORD = "a-password-of-tests"  # noqa: S105 - not a real one
KEY = ("-H", f"Authorization: Bearer {API_KEY}")
BASIC = ("-u", f"admin:{PASSWORD}")
SAY = {"role": "user", "content": ANSWER}
#: A model of each page.
MODELS = ["claude-code", "claude-sonnet-4", "claude-opus-4-20250514", "claude-sonnet-4-6"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an image."""
    made = tmp_path_factory.mktemp("projects")
    (made / "image.png").write_bytes(PNG)
    return made


@pytest.fixture
def here(gateway_with: Callable[..., Gateway], folder: Path) -> Gateway:
    """A gateway with a key, as someone would set it up who comes from another one."""
    return gateway_with(
        AUTH_PASSWORD=PASSWORD,
        API_KEYS=API_KEY,
        PROMPT_OPTIONS="true",
        CWD_ROOTS=str(folder),
        WORKSPACES=str(folder / "workspaces"),
    )


def curl(gateway: Gateway, path: str, *options: str, body: object = None) -> str:
    """What curl prints."""
    data = [] if body is None else ["-H", "Content-Type: application/json", "-d", json.dumps(body)]
    done = subprocess.run(
        ["curl", "-sS", "-N", gateway.url + path, *options, *data],
        env={"PATH": "/usr/local/bin:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return done.stdout


def data_of(stream: str) -> list[dict[str, Any]]:
    """The data of all events."""
    found = [line[6:] for line in stream.split("\n") if line.startswith("data: ")]
    return [json.loads(text) for text in found if text != "[DONE]"]


def given(stream: str) -> dict[str, Any]:
    """What the fake CLI was given: argv and cwd."""
    return next(fields for fields in data_of(stream) if "argv" in fields)


def answered(gateway: Gateway, **fields: Any) -> dict[str, Any]:
    """A completion that is not streamed."""
    body = {"model": "claude-code", "messages": [SAY], **fields}
    found: dict[str, Any] = json.loads(curl(gateway, "/v1/chat/completions", *KEY, body=body))
    assert found["choices"][0]["message"]["content"] == "done", found
    return found


# claudecode2api with FastAPI


def test_the_first_gateways_health_needs_no_password(here: Gateway) -> None:
    found = json.loads(curl(here, "/health"))
    assert found["status"] == "ok"
    assert found["claude_path"].endswith("/claude")
    assert found["claude_version"] == "9.9.9 (Fake Code)"


def test_the_first_gateways_chat_takes_its_fields(here: Gateway, folder: Path) -> None:
    body = {
        "prompt": "arguments\nresult success",
        "cwd": str(folder),
        "model": "opus",
        "session_id": str(uuid4()),
        "system_prompt": "Be brief",
        "append_system_prompt": "Be kind",
        "tools": ["Bash"],
        "allowed_tools": ["Read", "Edit"],
        "disallowed_tools": ["WebFetch"],
        "permission_mode": "plan",
        "mcp_config": ["{}"],
        "add_dir": [str(folder)],
        "debug": True,
        "json_schema": {"type": "object"},
        "agents": {"one": {"description": "d", "prompt": "p"}},
    }
    stream = curl(here, "/chat", "-X", "POST", *BASIC, body=body)
    flags = {argument.partition("=")[0].removesuffix("-file") for argument in given(stream)["argv"]}
    for name in set(body) - {"prompt", "cwd", "session_id"}:
        assert f"--{name.replace('_', '-')}" in flags, name
    assert "--resume" in flags
    assert stream.startswith(("event: message\n", "retry: ", "id: "))
    assert "event: done\n" in stream
    assert next(iter(data_of(stream)[-1])) == "process_id"


def test_the_first_gateways_list_and_cancellation(here: Gateway, folder: Path) -> None:
    job = here.chat("silent", cwd=str(folder)).job_id
    listed = json.loads(curl(here, "/processes", *BASIC))
    assert listed["count"] == 1
    row = listed["processes"][0]
    assert {"process_id", "cwd", "model", "started_at", "session_id"} <= set(row)
    assert row["model"] == "sonnet" and row["started_at"].endswith("Z")
    gone = json.loads(curl(here, f"/chat/{job}", "-X", "DELETE", *BASIC))
    assert (gone["status"], gone["process_id"]) == ("cancelled", job)


def test_the_first_gateways_loop_in_python(here: Gateway, folder: Path) -> None:
    found = []
    with requests.post(
        f"{here.url}/chat",
        auth=("admin", PASSWORD),
        json={"prompt": "system a-session\nresult success", "cwd": str(folder)},
        stream=True,
        timeout=20,
    ) as response:
        for line in response.iter_lines():
            if line and line.decode().startswith("data: "):
                found.append(json.loads(line.decode()[6:]))
    assert [fields.get("session_id") for fields in found[:2]] == ["a-session", "session-of-result"]


def test_the_first_gateways_pages(here: Gateway) -> None:
    for path in ("/docs", "/redoc"):
        assert "<html" in curl(here, path)


# Claude-Code-Server


@pytest.mark.parametrize(("named", "folder_name"), [(None, "shared"), ("my-app", "my-app")])
def test_the_second_gateways_workspaces(
    here: Gateway, folder: Path, named: str | None, folder_name: str
) -> None:
    body = {"prompt": "arguments", **({"workspace": named} if named else {})}
    stream = curl(here, "/api/claude", "-X", "POST", *KEY, body=body)
    assert given(stream)["cwd"] == str(folder / "workspaces" / folder_name)
    assert "event: message" not in stream


def test_the_second_gateways_fields(here: Gateway) -> None:
    session = curl(here, "/api/claude", *KEY, body={"prompt": f"system {uuid4()}"})
    body = {
        "prompt": "arguments",
        "session-id": data_of(session)[0]["session_id"],
        "workspace": "shared",
        "system-prompt": "Be brief",
        "dangerously-skip-permissions": True,
        "allowed-tools": ["Bash", "Edit", "Write"],
        "disallowed-tools": ["WebFetch"],
        "mcp-allowed-tools": ["mcp__github__get_repo"],
    }
    argv = given(curl(here, "/api/claude", *KEY, body=body))["argv"]
    assert f"--resume={body['session-id']}" in argv
    assert any(flag.startswith("--system-prompt") for flag in argv)
    assert "--permission-mode=bypassPermissions" in argv
    for name in ("Bash", "Edit", "Write", "mcp__github__get_repo"):
        assert f"--allowed-tools={name}" in argv
    assert "--disallowed-tools=WebFetch" in argv


def test_the_second_gateways_completions_stream(here: Gateway) -> None:
    messages = [{"role": "system", "content": "Be brief"}, SAY]
    body = {"model": "claude-code", "messages": messages, "stream": True}
    stream = curl(here, "/v1/chat/completions", "-X", "POST", *KEY, body=body)
    texts = [chunk["choices"][0]["delta"].get("content") or "" for chunk in data_of(stream)]
    assert "".join(texts) == "done"
    assert stream.endswith("data: [DONE]\n\n")


def test_the_second_gateways_options_before_a_prompt_hold_for_later_messages(
    here: Gateway, folder: Path
) -> None:
    lines = 'workspace=project-name\nallowed-tools=["Bash","Edit"]\n'
    first = {"role": "user", "content": f"{lines}dangerously-skip-permissions=true\n\n{ANSWER}"}
    later = [first, {"role": "assistant", "content": "done"}, SAY]
    for messages in ([first], later):
        body = {"model": "claude-code", "messages": messages}
        answer = here.ask("POST", "/v1/chat/completions", json=body)
        job = answer.headers["X-Process-ID"]
        assert answer.json()["choices"][0]["message"]["content"] == "done"
        record = here.ask("GET", f"/jobs/{job}").json()
        assert record["cwd"] == str(folder / "workspaces/project-name")


@pytest.mark.parametrize("keys", [(), ("-H", "Authorization: Bearer sk-1234")])
def test_no_gateway_here_is_open(here: Gateway, keys: tuple[str, ...]) -> None:
    for path in ("/api/claude", "/v1/chat/completions"):
        assert '"request_id"' in curl(here, path, *keys, body={}) or '"invalid_api_key"' in curl(
            here, path, *keys, body={}
        )


# claude-code-server with LiteLLM, claude-code-api in Rust, ClaudeCodeProxy


@pytest.mark.parametrize("model", MODELS)
def test_a_completion_with_the_models_of_each_page(here: Gateway, model: str) -> None:
    assert answered(here, model=model)["model"]


def test_a_conversation_by_its_id(here: Gateway) -> None:
    new = json.loads(curl(here, "/v1/conversations", "-X", "POST", *KEY))
    first = answered(here, conversation_id=new["id"])
    assert first["conversation_id"] == new["id"]
    again = answered(here, conversation_id=new["id"])
    assert again["conversation_id"] == new["id"]
    rows = json.loads(curl(here, "/v1/conversations", *KEY))["data"]
    assert new["id"] in [row["id"] for row in rows]
    one = json.loads(curl(here, f"/v1/conversations/{new['id']}", *KEY))
    assert one["turns"] == 2


def test_an_image_by_its_path(here: Gateway, folder: Path) -> None:
    image = {"type": "image_url", "image_url": {"url": str(folder / "image.png")}}
    parts = [{"type": "text", "text": ANSWER}, image]
    assert answered(here, messages=[{"role": "user", "content": parts}])


@pytest.mark.parametrize("path", ["/v1/models", "/stats", "/health"])
def test_the_lists_of_the_other_pages(here: Gateway, path: str) -> None:
    found = json.loads(curl(here, path, *KEY))
    assert "error" not in found and "code" not in found


# Clients


@pytest.mark.real
@pytest.mark.timeout(120)
def test_the_programs_in_python(face: Gateway, folder: Path, model: model_api.Server) -> None:
    program = f"""
from openai import OpenAI
from langchain_openai import ChatOpenAI
where = dict(base_url="{face.url}/v1", api_key="{API_KEY}")
client = OpenAI(**where)
ask = client.chat.completions.create
model = "claude-opus-4-20250514"
first = ask(model=model, messages=[{{"role": "user", "content": "hello"}}])
print(first.choices[0].message.content)
again = ask(
    model=model, extra_body={{"conversation_id": first.conversation_id}},
    messages=[{{"role": "user", "content": "again"}}],
)
print(again.choices[0].message.content, again.conversation_id == first.conversation_id)
stream = ask(model="claude-code", messages=[{{"role": "user", "content": "story"}}], stream=True)
print("".join(chunk.choices[0].delta.content or "" for chunk in stream))
print(ChatOpenAI(model=model, **where).invoke("a chain").content)
"""
    output = run_client([str(PYTHON), "-c", program], folder)
    assert output.splitlines() == [
        "You said: hello",
        "You said: again True",
        "You said: story",
        "You said: a chain",
    ]
    # The conversation goes on: the model got its first message with the second.
    together = [text for text in map(json.dumps, model.asked) if '"again"' in text]
    assert together and all('"hello"' in text for text in together)


@pytest.mark.real
@pytest.mark.timeout(120)
def test_the_programs_in_javascript(face: Gateway, tmp_path: Path) -> None:
    login = json.dumps([face.auth[0], face.auth[1].decode()])
    program = f"""
import {{ createRequire }} from "node:module";
const OpenAI = createRequire(import.meta.url)("openai");
const client = new OpenAI({{ baseURL: "{face.url}/v1", apiKey: "{API_KEY}" }});
const ask = (rest) => client.chat.completions.create(
  {{ model: "claude-code", messages: [{{ role: "user", content: "hello" }}], ...rest }});
console.log((await ask({{}})).choices[0].message.content);
let text = "";
for await (const chunk of await ask({{ stream: true }}))
  text += chunk.choices[0]?.delta?.content ?? "";
console.log(text);
const basic = Buffer.from({login}.join(":")).toString("base64");
const response = await fetch("{face.url}/chat", {{
  method: "POST",
  headers: {{ "Content-Type": "application/json", "Authorization": "Basic " + basic }},
  body: JSON.stringify({{ prompt: "hello", cwd: "{tmp_path}" }}),
}});
const reader = response.body.getReader();
const decoder = new TextDecoder();
let all = "";
for (;;) {{
  const {{ done, value }} = await reader.read();
  if (done) break;
  all += decoder.decode(value, {{ stream: true }});
}}
const lines = all.split("\\n").filter((line) => line.startsWith("data: "));
console.log(JSON.parse(lines.at(-1).slice(6)).status);
"""

    def run(command: list[str], _: Gateway, home: Path) -> str:
        return run_client(command, home)

    assert run_node(run, face, tmp_path, program) == [
        "You said: hello",
        "You said: hello",
        "succeeded",
    ]
