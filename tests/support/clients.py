"""Real clients of the chat APIs: programs that are run against a gateway."""

import ast
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.support.gateway import ROOT, Gateway
from tests.support.real_cli import API_KEY

#: The programs.
PROGRAMS = ROOT / "tests/clients"
#: The Python that has the clients' packages.
PYTHON = ROOT / "venv-clients/bin/python"

#: Runs a client's command with a gateway, in a home, with further variables; what it prints.
Run = Callable[..., str]


def run_client(command: list[str], home: Path, timeout: float = 250, **variables: str) -> str:
    """What a client prints; it must succeed within so many seconds."""
    done = subprocess.run(
        command,
        env={
            "PATH": f"{PYTHON.parent}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(home),
            **variables,
        },
        cwd=home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def run_client_of_both(command: list[str], gateway: Gateway, home: Path, **variables: str) -> str:
    """What a client of OpenAI's and Anthropic's APIs prints; it must succeed."""
    where = {
        "ANTHROPIC_API_KEY": API_KEY,
        "ANTHROPIC_BASE_URL": gateway.url,
        "OPENAI_API_KEY": API_KEY,
        "OPENAI_BASE_URL": f"{gateway.url}/v1",
        # LiteLLM would fetch the models' prices.
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    }
    return run_client(command, home, 280, **{**where, **variables})


def run_claude_code(run: Run, gateway: Gateway, claude: Path, home: Path, model: str) -> None:
    """A task of Claude Code that succeeds, for which it uses a tool on its side."""
    made = home / "made"
    output = run(
        [
            *(str(claude), "--print", "--output-format=json", f"--model={model}"),
            *("--allowed-tools=Bash", f"bash: touch {made} && echo done-there"),
        ],
        gateway,
        home,
        CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC="1",
        DISABLE_TELEMETRY="1",
    )
    result = json.loads(output)
    assert "done-there" in result["result"] and made.exists()
    assert (result["is_error"], result["num_turns"]) == (False, 2)


def run_node(run: Run, gateway: Gateway, home: Path, text: str) -> list[str]:
    """The lines that a program for Node prints."""
    program = home / "x.mjs"
    program.write_text(text, encoding="utf-8")
    link_packages(home)
    return run(["node", str(program)], gateway, home).splitlines()


def link_packages(home: Path) -> None:
    """Node looks for packages beside the program."""
    (home / "node_modules").symlink_to(ROOT / "tests/node/node_modules")


def stories_in(program: Path) -> list[str]:
    """The stories in a program: its functions with a name of several words."""
    return [
        node.name
        for node in ast.parse(program.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name.count("_") > 1
    ]


def errors_of_stories(
    run: Run, gateway: Gateway, home: Path, program: Path, *stories: str, python: Path = PYTHON
) -> dict[str, str | None]:
    """What went wrong in each of a program's stories, or in those that are named."""
    errors: dict[str, str | None] = json.loads(
        run([str(python), str(program), *stories], gateway, home)
    )
    return errors
