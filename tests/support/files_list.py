"""The list of the gateway's files in docs/files.md: `python -m tests.support.files_list` writes it.

Each file stands with the processes that load it and the first sentence of its docstring. Both are
taken from the code.
"""

import ast
import re
from pathlib import Path

import grimp

ROOT = Path(__file__).parents[2]
PATH = ROOT / "docs/files.md"

#: What each process imports first.
ENTRIES = {
    "master": ["app.master", "app.startup"],
    "worker": ["app"],
    "launcher": ["app.runs.launcher.server"],
    "supervisor": ["app.runs.supervisor.job_loop"],
    "command": ["app.tool.main"],
}
# The launcher forks supervisors, and so it has loaded their code: but it runs none of it.
FORKS = ("app.runs.launcher.pool", "app.runs.supervisor.job_loop")

HEAD = """\
# Files

Where each behaviour is, and in which process it runs. The picture is in [design.md](design.md).

- **master**: gunicorn's first process. **worker**: one of its children, which answers requests.
- **launcher**: decides which job runs when. **supervisor**: the process beside each run of the CLI.
- **command**: `claudecode2api` in a terminal.
"""


def render() -> str:
    """The whole page."""
    processes = {name: _loaded(name) for name in ENTRIES}
    rooms: dict[str, list[str]] = {}
    for path in sorted((ROOT / "app").rglob("*.py")):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        sentence = _sentence(path)
        if path.name == "__init__.py" and path.parent != ROOT / "app":
            continue
        module = module.removesuffix(".__init__")
        loaded_in = ", ".join(name for name, modules in processes.items() if module in modules)
        file = path.relative_to(ROOT)
        rooms.setdefault(str(file.parent), []).append(
            f"| `{file.name}` | {loaded_in} | {sentence} |"
        )
    sections = [
        f"## {room}/\n\n{_room(room)}\n\n| file | process | |\n|---|---|---|\n"
        + "\n".join(rows)
        + "\n"
        for room, rows in rooms.items()
    ]
    return "\n".join([HEAD, *sections])


def _loaded(process: str) -> set[str]:
    """The modules that a process loads."""
    graph = grimp.build_graph("app")
    graph.remove_import(importer=FORKS[0], imported=FORKS[1])
    if process != "worker":
        # create_app is called in a worker, and imports what it joins only then.
        for imported in graph.find_modules_directly_imported_by("app"):
            graph.remove_import(importer="app", imported=imported)
    entries = ENTRIES[process]
    return {*entries, *(each for entry in entries for each in graph.find_upstream_modules(entry))}


def _room(room: str) -> str:
    return _sentence(ROOT / room / "__init__.py")


def _sentence(path: Path) -> str:
    """The first paragraph of a module's docstring, in one line."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return re.sub(r"\s+", " ", text.partition("\n\n")[0]).replace("|", "\\|")


if __name__ == "__main__":
    PATH.write_text(render(), encoding="utf-8")
