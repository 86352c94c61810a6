"""The package: a wheel whose command works in any folder, with what it requires alone."""

import json
import signal
import subprocess
import tomllib
import zipfile
from contextlib import closing
from pathlib import Path

import pytest
import requests

from app.tool.package_settings import find_env_file
from app.version import VERSION
from tests.support.gateway import ROOT, eventually, free_port
from tests.support.package import Package

#: The folder of the gateway in the wheel.
INSIDE = "claudecode2api/checkout/"


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    """The package, installed."""
    return Package(tmp_path_factory.mktemp("package"))


def pinned(file: str) -> list[str]:
    """The requirements in a file."""
    lines = (ROOT / file).read_text(encoding="utf-8").split("\n")
    return [line for line in lines if line and not line.startswith("#")]


def test_the_wheel_has_one_package_with_all_that_the_gateway_reads(package: Package) -> None:
    with zipfile.ZipFile(package.wheel) as wheel:
        names = set(wheel.namelist())
    assert {name.split("/")[0] for name in names} == {
        "claudecode2api",
        f"claudecode2api-{VERSION}.dist-info",
    }
    files = {
        str(path.relative_to(ROOT))
        for folder in ("app", "vendored", "console/dist")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    files |= {"gunicorn.conf.py", "requirements.txt", ".env.example"}
    assert {name for name in names if name.startswith(INSIDE)} == {INSIDE + name for name in files}
    done = subprocess.run(
        [package.python, "-c", "import claudecode2api, app"],
        cwd=package.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "No module named 'app'" in done.stderr


def test_the_wheel_requires_what_was_tested(package: Package) -> None:
    required = package.metadata.get_all("Requires-Dist") or []
    plain = [line.lower().replace("-", "_") for line in required if ";" not in line]
    assert sorted(plain) == sorted(
        line.lower().replace("-", "_") for line in pinned("requirements.txt")
    )
    (claude,) = (line.partition(";")[0] for line in required if ";" in line)
    assert [claude] == pinned("requirements-claude.txt")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert set(project["build-system"]["requires"]) <= set(pinned("requirements-test.txt"))
    assert package.metadata["Version"] == VERSION


def test_a_gateway_runs_in_any_folder(package: Package, tmp_path: Path, fake_claude: Path) -> None:
    folder, home, port = tmp_path / "folder", tmp_path / "home", free_port()
    for made in (folder, home):
        made.mkdir()
    # What another project may have in its folder.
    for name in ("app.py", "json.py", "requests.py", "flask.py", "sqlite3.py", "gunicorn.conf.py"):
        (folder / name).write_text("raise SystemExit('taken in')\n", encoding="utf-8")
    env_file = folder / ".env"
    env_file.write_text("AUTH_PASSWORD=a password\n", encoding="utf-8")
    env_file.chmod(0o600)
    toml = folder / "claudecode2api.toml"
    toml.write_text(
        f'port = {port}\nclaude_path = "{fake_claude}"\nstate_dir = "{tmp_path}/state"\n',
        encoding="utf-8",
    )

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return package.run(*arguments, cwd=folder, home=home)

    with (tmp_path / "log").open("wb") as log:
        served = subprocess.Popen(
            [package.program, "serve"],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stderr=log,
            **package.command(home),
        )
    try:
        eventually(lambda: run("ps").returncode == 0, lambda: (tmp_path / "log").read_text())
        done = run("run", "result ok")
        assert done.returncode == 0, done.stderr
        report = json.loads(run("doctor", "--json").stdout)
        failures = [check for check in report["checks"] if check["status"] == "failed"]
        assert not failures
        with closing(requests.get(f"http://127.0.0.1:{port}/docs", timeout=10)) as page:
            assert page.status_code == 200
        with toml.open("a", encoding="utf-8") as file:
            file.write("metrics_public = true\n")
        served.send_signal(signal.SIGHUP)

        def is_public() -> bool:
            url = f"http://127.0.0.1:{port}/metrics"
            try:
                return requests.get(url, timeout=10).status_code == 200
            except requests.ConnectionError:
                return False

        eventually(is_public, lambda: (tmp_path / "log").read_text())
    finally:
        served.terminate()
        status = served.wait(30)
    assert status == 0


def test_the_users_own_settings_are_used_where_a_folder_has_none(
    package: Package, tmp_path: Path
) -> None:
    project, home = tmp_path / "project", tmp_path / "home"
    for made in (project, home):
        made.mkdir()
    # Another program's.
    (project / ".env").write_text("PORT=3000\nAPI_KEY=x\n", encoding="utf-8")
    own = home / ".config/claudecode2api/env"
    for command, note in (("config", ""), ("serve", f"{project}/.env is not used, because it ")):
        done = package.run(command, cwd=project, home=home)
        assert (done.returncode, done.stdout) == (78, "")
        assert done.stderr.startswith(note)
        assert "cannot use AUTH_PASSWORD: it is not set" in done.stderr
    report = json.loads(package.run("doctor", "--json", cwd=project, home=home).stdout)
    (row,) = (check for check in report["checks"] if check["name"] == ".env")
    assert row["detail"].startswith(f"{own} does not exist; {project}/.env is not used")
    done = package.run("password", cwd=project, home=home)
    assert (done.returncode, str(own) in done.stderr) == (0, True)
    assert (own.stat().st_mode & 0o777, own.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    done = package.run("config", "--json", cwd=project, home=home, WORKERS="3")
    shown = {each["name"]: each for each in json.loads(done.stdout)["settings"]}
    assert (shown["PORT"]["value"], shown["WORKERS"]["value"]) == (9876, 3)
    assert shown["AUTH_PASSWORD"]["file"] == str(own)


@pytest.mark.parametrize(
    ("name", "content", "is_ours"),
    [
        (".env", "AUTH_PASSWORD=x\n", True),
        (".env", "# x\nexport AUTH_PASSWORD_FILE = '/x'\n", True),
        (".env", "PORT=3000\nMY_AUTH_PASSWORD=x\n# AUTH_PASSWORD=x\n", False),
        ("claudecode2api.toml", "", True),
        (None, "", False),
    ],
)
def test_a_folder_is_the_gateways_if_it_has_the_password_or_the_toml_file(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str | None,
    content: str,
    is_ours: bool,
) -> None:
    if name:
        (tmp_path / name).write_text(content, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    own = Path("/home/me/.config/claudecode2api/env")
    expected = tmp_path / ".env" if is_ours else own
    assert find_env_file({"HOME": "/home/me"}) == expected
    if not is_ours:
        found = find_env_file({"HOME": "/home/me", "XDG_CONFIG_HOME": "/etc/me"})
        assert found == Path("/etc/me/claudecode2api/env")


def test_in_a_folder_that_was_removed_the_users_own_settings_are_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert find_env_file({"HOME": "/h"}) == Path("/h/.config/claudecode2api/env")
