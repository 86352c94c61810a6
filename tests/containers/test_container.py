"""A container with the real CLI and a stand-in for the model: what it does, and what it keeps."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from tests.support.container import KEY, SCRIPT, Container
from tests.support.gateway import ROOT, eventually, free_port
from tests.support.podman import ENVIRONMENT, IMAGE, Podman, default_of

pytestmark = [pytest.mark.containers, pytest.mark.timeout(180)]

# A command that goes on until it is ended, and starts another one that does.
_LONG = "bash: sh -c 'sleep 3600 & touch /projects/begun; wait'"


def test_a_job_runs_the_real_cli(container: Container) -> None:
    record = container.finish("bash: echo from $(pwd) as $(id -u):$(id -g)")
    assert record["status"] == "succeeded"
    assert "from /projects as 1000:0" in record["result"]


def test_the_cli_has_the_version_that_the_build_asked_for(container: Container) -> None:
    assert container.sh("claude --version").split()[0] == default_of("CLAUDE_VERSION")


def test_keys_come_from_a_file(container: Container) -> None:
    headers = {"Authorization": f"Bearer {KEY}"}
    assert container.ask("GET", "/processes", auth=None, headers=headers).status_code == 200


def test_a_reload_takes_new_keys_and_jobs_go_on(container: Container) -> None:
    new = "anna:another-key-for-tests-of-containers"
    headers = {"Authorization": f"Bearer {new.partition(':')[2]}"}

    def is_accepted() -> bool:
        return container.ask("GET", "/jobs", auth=None, headers=headers).status_code == 200

    job_id = container.begin(_LONG)
    eventually(lambda: "sleep 3600" in container.processes())
    assert not is_accepted()
    with Path(container.file_of("API_KEYS")).open("a", encoding="utf-8") as keys:
        keys.write(f"\n{new}\n")
    container.podman.run("exec", container.name, "claudecode2api", "reload")
    assert is_accepted()
    assert container.job(job_id)["status"] == "running"
    container.ask("DELETE", f"/chat/{job_id}")


def test_the_command_in_the_container_uses_the_same_password(container: Container) -> None:
    shown = container.podman.run("exec", container.name, "claudecode2api", "run", "hello")
    assert shown.strip() == "You said: hello"


def test_jobs_write_to_the_volumes_and_to_tmp_alone(container: Container) -> None:
    tried = "for f in /opt/claudecode2api/app /usr /etc ~ /projects /tmp /var/lib/claudecode2api"
    # Also those places are read-only that would be closed to its user anyway.
    assert container.sh("awk '$5 == \"/\" {print $6}' /proc/self/mountinfo").startswith("ro,")
    record = container.finish(f'bash: {tried}; do touch "$f/x" 2>/dev/null && echo "can $f"; done')
    written = [line for line in record["result"].split("\\n") if "can /" in line]
    assert [line.split("can ")[1].strip('"') for line in written] == [
        *("/home/claude", "/projects", "/tmp", "/var/lib/claudecode2api")  # noqa: S108
    ]


def test_a_job_has_no_capability_and_gains_none(container: Container) -> None:
    record = container.finish("bash: grep -E 'CapEff|CapBnd|NoNewPrivs' /proc/self/status")
    assert record["result"].count("0000000000000000") == 2
    assert "NoNewPrivs:\\t1" in record["result"]


def test_what_a_job_compiles_can_be_run_in_tmp(container: Container) -> None:
    script = 'f=$(mktemp); printf "#!/bin/sh\\necho it runs\\n" >"$f"; chmod +x "$f"; "$f"'
    assert "it runs" in container.finish(f"bash: {script}")["result"]


def test_it_is_published_to_this_machine_alone(container: Container) -> None:
    published = container.podman.run("port", container.name).strip()
    assert published == f"9876/tcp -> 127.0.0.1:{container.port}"


def test_a_cancelled_job_leaves_no_process(container: Container) -> None:
    job_id = container.begin(_LONG)
    eventually(lambda: "sleep 3600" in container.processes())
    assert container.ask("DELETE", f"/chat/{job_id}").status_code == 200
    assert container.job(job_id, wait=20)["status"] == "cancelled"
    assert "sleep 3600" not in container.processes()


def test_the_first_process_adopts_orphans_and_reaps_them(container: Container) -> None:
    orphan = container.sh("sh -c 'sleep 3600 >/dev/null 2>&1 & echo $!'").strip()
    assert container.sh(f"ps -o ppid= -p {orphan}").strip() == "1"
    container.sh(f"kill {orphan}")
    eventually(lambda: orphan not in container.sh("ps -eo pid=").split())


def test_a_healthy_container_is_healthy(container: Container) -> None:
    assert container.podman.try_("healthcheck", "run", container.name).returncode == 0


def test_a_container_without_a_gateway_is_unhealthy(podman: Podman) -> None:
    name = podman.run("run", "--detach", "--network=none", IMAGE, "sleep", "3600").strip()
    try:
        assert podman.try_("healthcheck", "run", name).returncode == 1
    finally:
        podman.run("rm", "--force", "--time=0", name)


def test_a_stop_ends_jobs_and_what_is_kept_serves_the_next_container(
    start_container: Callable[..., Container],
) -> None:
    container = start_container()
    first = container.finish("remember me")
    job_id = container.begin(_LONG)
    eventually(lambda: "sleep 3600" in container.processes())

    done = container.script("stop")
    assert done.returncode == 0, done.stderr
    assert container.podman.try_("container", "exists", container.name).returncode == 1

    container.start()
    assert container.job(job_id)["status"] == "cancelled"
    lines = container.ask("GET", f"/chat/{job_id}", headers={"Accept": "application/x-ndjson"}).text
    assert '"subtype":"init"' in lines
    again = container.finish("and again", session_id=first["session_id"])
    assert again["session_id"] == first["session_id"]
    # What the CLI has read of the session, and not only its id.
    transcript = container.sh(f"cat ~/.claude/projects/*/{first['session_id']}.jsonl")
    assert transcript.index("remember me") < transcript.index("and again")


def test_any_user_of_group_0_can_run_it(start_container: Callable[..., Container]) -> None:
    """As on OpenShift, the user has a number that /etc/passwd does not know."""
    container = start_container("--passwd=false", CONTAINER_USER="1000650000:0")
    record = container.finish("bash: id -u; git init --quiet repository && echo it works")
    assert '"1000650000\\nit works"' in record["result"]


def test_without_a_password_it_ends_with_78_and_is_not_started_for_ever(podman: Podman) -> None:
    name = podman.run("run", "--detach", "--network=none", "--restart=on-failure:2", IMAGE).strip()
    try:
        eventually(lambda: len(log_of(podman, name)) == 3, patience=90)
        eventually(lambda: podman.inspect(name)["State"]["Status"] == "exited")
        assert podman.inspect(name)["State"]["ExitCode"] == 78
        assert podman.inspect(name)["RestartCount"] == 2
        log = log_of(podman, name)
        assert all(line.startswith("cannot use AUTH_PASSWORD: ") for line in log)
    finally:
        podman.run("rm", "--force", "--time=0", name)


def log_of(podman: Podman, name: str) -> list[str]:
    return podman.try_("logs", name).stderr.splitlines()


def test_run_tells_why_the_gateway_does_not_start(podman: Podman, tmp_path: Path) -> None:
    container = Container(podman, tmp_path)
    done = container.script("run", "--env=PORT=none", RESTART="no")
    assert done.returncode == 1
    assert "cannot use PORT" in done.stderr
    assert podman.try_("container", "exists", container.name).returncode == 1


def test_without_a_login_both_the_script_and_the_log_say_how_to_log_in(
    podman: Podman, tmp_path: Path
) -> None:
    container = Container(podman, tmp_path)
    try:
        done = container.script(
            "run",
            *("--env=CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1", "--env=DISABLE_TELEMETRY=1"),
            ANTHROPIC_API_KEY_FILE="",
        )
        assert done.returncode == 0, done.stderr
        assert f" Run: NAME={container.name} scripts/container login " in done.stderr
        first = log_of(podman, container.name)[0]
        assert first.startswith("the CLI is not logged in, so jobs fail: run claude auth login in ")
    finally:
        container.remove()


def test_login_is_the_cli_s_own(container: Container) -> None:
    done = container.script("login", "--help")
    assert done.returncode == 0, done.stderr
    assert "Sign in to your Anthropic account" in done.stdout


def test_the_log_is_shown(container: Container) -> None:
    # It follows the log until it is ended.
    with subprocess.Popen(
        [SCRIPT, "logs"],
        env={**container.podman.environment, "NAME": container.name},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as shown:
        assert shown.stdout is not None
        assert any(b"Listening at" in line for line in shown.stdout)
        shown.terminate()


def test_the_image_holds_code_and_no_secret(podman: Podman) -> None:
    image = podman.inspect(IMAGE)
    assert image["Config"]["User"] == "1000:0"
    assert not [each for each in image["Config"]["Env"] if "PASSWORD" in each or "KEY" in each]
    held = podman.run("run", "--rm", "--network=none", IMAGE, "ls", "-A", "/opt/claudecode2api")
    assert held.split() == [
        *("app", "console", "gunicorn.conf.py", "requirements.txt", "scripts", "vendored", "venv")
    ]
    changeable = "find /opt/claudecode2api ! -user root -o -perm /022 ! -type l"
    assert not podman.run("run", "--rm", "--network=none", IMAGE, "sh", "-c", changeable)


def test_compose_runs_the_same_and_keeps_its_volumes(podman: Podman, tmp_path: Path) -> None:
    shutil.copy(ROOT / "compose.yml", tmp_path)
    (tmp_path / "secrets").mkdir()
    password = tmp_path / "secrets/auth_password"
    password.write_text("a-password-for-tests", encoding="utf-8")
    password.chmod(0o640)
    port = str(free_port())
    socket = tmp_path / "socket"

    def compose(*arguments: str) -> None:
        program = str(ENVIRONMENT / "bin/docker-compose")
        file = f"--file={tmp_path / 'compose.yml'}"
        variables = {"DOCKER_HOST": f"unix://{socket}", "PORT": port}
        done = podman.program(program, file, *arguments, **variables)
        assert done.returncode == 0, done.stderr

    def answers() -> bool:
        with requests.Session() as session:
            session.trust_env = False
            auth = ("admin", "a-password-for-tests")
            try:
                answer = session.get(f"http://127.0.0.1:{port}/jobs", auth=auth, timeout=20)
            except requests.ConnectionError:
                return False
        return answer.status_code == 200

    with subprocess.Popen(
        ["podman", "system", "service", "--time=0", f"unix://{socket}"],
        env=podman.environment,
        stderr=subprocess.DEVNULL,
    ) as service:
        try:
            eventually(socket.exists)
            compose("up", "--no-build", "--detach")
            eventually(answers, patience=90)
            compose("down")
            volumes = podman.run("volume", "ls", "--format={{.Name}}")
            for kind in ("home", "state", "projects"):
                assert f"{tmp_path.name}_{kind}" in volumes
            compose("down", "--volumes")
        finally:
            service.terminate()
