"""The installed service on a real systemd: start, watchdog, reload, update, stop."""

import json
import re

import pytest

from app.runs.end_processes import KILL_PATIENCE, TERM_PATIENCE
from app.state.version import LAYOUT
from tests.support.gateway import ROOT, eventually
from tests.support.installed import COMMAND, STATE, UNIT, assert_refused, state_of
from tests.support.systemd import (
    CHECKOUT,
    HOME,
    SERVICE,
    USER,
    Machine,
    output_of,
)

pytestmark = pytest.mark.root


def drop_in(machine: Machine, *lines: str) -> None:
    """Change the unit for one test, and start the service anew."""
    machine.write(f"{UNIT}.d/test.conf", "\n".join(["[Service]", *lines, ""]))
    machine.sh(f"systemctl daemon-reload; systemctl restart {SERVICE}")


# --- The unit alone ---


def test_the_unit_is_valid(machine: Machine) -> None:
    assert output_of(machine.try_("systemd-analyze", "verify", UNIT)) == ""


def test_what_the_service_exposes_is_bounded(machine: Machine) -> None:
    analyze = ["systemd-analyze", "security", "--offline=true"]
    machine.run(*analyze, "--threshold=40", UNIT)
    machine.run(*analyze, "--threshold=40", f"{CHECKOUT}/{SERVICE}")
    machine.copy(ROOT / "examples/strict.conf", f"{UNIT}.d/strict.conf")
    machine.run(*analyze, "--threshold=15", UNIT)


def test_the_unit_allows_a_stop_its_time() -> None:
    unit = (ROOT / SERVICE).read_text(encoding="utf-8")
    found = re.search(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)
    assert found is not None
    # graceful_timeout and the default of KILL_GRACE.
    assert int(found[1]) > 15 + 8 + TERM_PATIENCE + KILL_PATIENCE


# --- After the installation ---


def test_it_runs_at_once_and_its_use_is_printed(machine: Machine) -> None:
    printed = machine.run("cat", "/srv/printed")
    assert "http://127.0.0.1:9876" in printed
    assert re.search(r"user +admin$", printed, re.MULTILINE)
    assert f"{CHECKOUT}/.env" in printed
    assert machine.password() not in printed
    assert machine.run("systemctl", "is-active", SERVICE) == "active\n"
    assert machine.run("systemctl", "is-enabled", SERVICE) == "enabled\n"
    assert f"\ncheckout='{CHECKOUT}'\n" in machine.run("cat", COMMAND)
    assert machine.run("stat", "-c", "%U %a", COMMAND) == "root 755\n"
    assert json.loads(machine.run(COMMAND, "doctor", "--json", user=USER))["ok"]


def test_no_key_is_shown_where_there_is_no_terminal(machine: Machine) -> None:
    printed = machine.run("cat", "/srv/printed")
    assert f"In a terminal: {CHECKOUT}/scripts/claudecode2api key add default" in printed
    assert "API_KEYS=" not in machine.sh(f"grep -v ^# {CHECKOUT}/.env")


def test_in_a_terminal_a_first_key_is_made_and_shown_once(packed: Machine) -> None:
    install = f"env PIP_NO_INDEX=1 PIP_FIND_LINKS=/srv/wheels {CHECKOUT}/install.sh"
    printed = packed.run("script", "-qec", install, "/dev/null", user=USER)
    found = re.search(r"^(cc2_\S+|sk-\S+|\S{32,})\r?$", printed, re.MULTILINE)
    assert found is not None, printed
    assert "http://127.0.0.1:9876/v1" in printed
    key = found[1]
    url = "http://127.0.0.1:9876/v1/models"
    code = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}"]
    assert packed.run(*code, "-H", f"Authorization: Bearer {key}", url) == "200"
    assert key not in packed.run("cat", f"{CHECKOUT}/.env")


def test_root_does_not_run_the_command_of_a_checkout_that_jobs_can_change(machine: Machine) -> None:
    done = machine.try_(COMMAND, "ps")
    assert done.returncode == 78
    assert f"cannot run as root: others can write {CHECKOUT}/app" in done.stderr
    assert f"sudo -u {USER}" in done.stderr


def test_the_curl_line_that_is_printed_works(machine: Machine) -> None:
    line = re.search(r"try it +(curl .*)", machine.run("cat", "/srv/printed"))
    assert line is not None
    answer = machine.sh(line[1], user=USER)
    assert "event: done" in answer
    assert '"status":' in answer


def test_the_password_is_new_and_private(machine: Machine) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]{32}", machine.password())
    assert machine.run("stat", "-c", "%a %U", f"{CHECKOUT}/.env") == f"600 {USER}\n"


def test_basic_auth_by_curl(machine: Machine) -> None:
    code = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}"]
    url = "http://127.0.0.1:9876/processes"
    assert machine.run(*code, url) == "401"
    assert machine.run(*code, "-u", "admin:wrong", url) == "401"
    assert machine.run(*code, "-u", f"admin:{machine.password()}", url) == "200"


def test_a_job_runs_as_the_user_in_its_home(machine: Machine) -> None:
    job_id = machine.start_job("environment", "shell id -un; touch made", "result ok")
    assert machine.job(job_id, wait=20)["status"] == "succeeded"
    environment, user, *_ = machine.output(job_id)
    assert user == USER
    assert machine.run("stat", "-c", "%U", f"{HOME}/made") == f"{USER}\n"
    found = json.loads(environment)
    assert (found["HOME"], found["USER"]) == (HOME, USER)
    assert found["PATH"].split(":")[0] == f"{HOME}/.local/bin"
    # Nothing by which it could speak for the gateway, and none of the gateway's own.
    assert not [name for name in found if re.search("NOTIFY|WATCHDOG|DIRECTORY|JOURNAL|AUTH", name)]


def test_a_job_cannot_gain_rights(machine: Machine) -> None:
    job_id = machine.start_job("shell sudo -n true", "shell touch /usr/x", "result ok")
    assert machine.job(job_id, wait=20)["status"] == "succeeded"
    output = machine.output(job_id)
    assert "no new privileges" in output[0]
    assert "exit 0" not in output


def test_the_sandbox_of_the_cli_works_in_a_job(machine: Machine) -> None:
    sandbox = "bwrap --unshare-user --unshare-pid --ro-bind / / --proc /proc --dev /dev echo inside"
    # systemd-nspawn covers parts of /proc; a machine of metal does not.
    machine.run("mount", "-t", "proc", "proc", "/proc")
    try:
        machine.run("systemctl", "restart", SERVICE)
        job_id = machine.start_job(f"shell {sandbox}", "result ok")
        assert machine.job(job_id, wait=20)["status"] == "succeeded"
    finally:
        machine.run("umount", "/proc")
    assert machine.output(job_id)[:2] == ["inside", "exit 0"]


def test_the_strict_drop_in_confines_jobs_to_the_folders_that_it_names(machine: Machine) -> None:
    machine.sh(f"mkdir -p {HOME}/project {HOME}/.claude; echo s >{HOME}/secret", user=USER)
    strict = (ROOT / "examples/strict.conf").read_text(encoding="utf-8")
    machine.write(f"{UNIT}.d/strict.conf", strict.replace("/home/me", HOME))
    machine.sh(f"systemctl daemon-reload; systemctl restart {SERVICE}")
    job_id = machine.start_job(
        "shell touch file && echo $CLAUDE_CONFIG_DIR && touch $CLAUDE_CONFIG_DIR/x",
        f"shell cat {HOME}/secret",
        f"shell touch {CHECKOUT}/x",
        "result ok",
        cwd=f"{HOME}/project",
    )
    assert machine.job(job_id, wait=20)["status"] == "succeeded"
    output = machine.output(job_id)
    assert output[:2] == [f"{HOME}/.claude", "exit 0"]
    assert "No such file" in output[2]
    assert "Read-only" in output[4]
    assert machine.run("stat", "-c", "%U %a", f"{HOME}/project/file") == f"{USER} 600\n"


@pytest.mark.real
@pytest.mark.parametrize("strict", [False, True])
def test_the_real_cli_and_its_tools_work_in_the_service(packed: Machine, strict: bool) -> None:
    packed.sh(f"ln -sf /srv/claude {HOME}/.local/bin/claude; mkdir {HOME}/project", user=USER)
    packed.run("mkdir", f"{HOME}/.claude", user=USER)
    packed.copy(ROOT / "tests/support/model_api.py", "/srv/model_api.py")
    packed.run("systemd-run", "--unit=model", "python3", "/srv/model_api.py", "--port", "8099")
    if strict:
        packed.copy(ROOT / "examples/strict.conf", f"{UNIT}.d/strict.conf")
    settings = "AUTH_PASSWORD=x\nANTHROPIC_API_KEY=dummy\nDISABLE_TELEMETRY=1\n"
    settings += "ANTHROPIC_BASE_URL=http://127.0.0.1:8099\n"
    settings += "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1\n"
    packed.write(f"{CHECKOUT}/.env", settings, "600", USER)
    done = packed.install()
    assert done.returncode == 0, output_of(done)
    job_id = packed.start_job("bash: echo from the tool >file; cat file", cwd=f"{HOME}/project")
    record = packed.job(job_id, wait=40)
    assert (record["status"], record["result"]) == ("succeeded", 'The tool said: "from the tool"')
    assert packed.run("cat", f"{HOME}/project/file") == "from the tool\n"


# --- Start, readiness, watchdog ---


def test_it_starts_at_boot(machine: Machine) -> None:
    machine.shut_down()
    machine.boot()
    # The boot is over when the service has reported that it is ready: nothing is awaited here.
    assert machine.answers()


def test_started_means_that_a_worker_answers(machine: Machine) -> None:
    machine.run("systemctl", "restart", SERVICE)
    assert machine.answers()


def test_it_is_not_ready_while_no_worker_answers(machine: Machine) -> None:
    """gunicorn alone would report it as soon as it has a socket."""
    machine.sh(f"cp {CHECKOUT}/app/server/worker.py /srv/worker.py")
    machine.sh(
        f"sed -i 's/if is_responding(/if False and is_responding(/' {CHECKOUT}/app/server/worker.py"
    )
    try:
        machine.write(f"{UNIT}.d/test.conf", "[Service]\nTimeoutStartSec=3\nRestart=no\n")
        machine.run("systemctl", "daemon-reload")
        assert machine.try_("systemctl", "restart", SERVICE).returncode != 0
        assert machine.show("Result") == "timeout"
    finally:
        machine.sh(f"cp /srv/worker.py {CHECKOUT}/app/server/worker.py")


def test_the_status_shows_how_many_jobs_there_are(machine: Machine) -> None:
    drop_in(machine, "Environment=MAX_JOBS=1")
    assert machine.show("StatusText") == "Jobs: 0 running, 0 queued"
    for _ in range(2):
        machine.start_job("silent")
    eventually(lambda: machine.show("StatusText") == "Jobs: 1 running, 1 queued")


def test_frozen_workers_make_systemd_start_it_anew(machine: Machine) -> None:
    drop_in(machine, "WatchdogSec=2", "RestartSec=0")
    master = machine.show("MainPID")
    machine.run("kill", "-STOP", *map(str, machine.workers()))
    eventually(lambda: machine.show("MainPID") not in (master, "0"))
    eventually(machine.answers)
    assert "watchdog" in machine.journal().lower()


def test_a_frozen_master_does_too(machine: Machine) -> None:
    drop_in(machine, "WatchdogSec=2", "RestartSec=0")
    master = machine.show("MainPID")
    machine.run("kill", "-STOP", master)
    eventually(lambda: machine.show("MainPID") not in (master, "0"))
    eventually(machine.answers)


def test_the_watchdog_is_content_with_one_worker_that_answers(machine: Machine) -> None:
    # Long enough for a machine with other work.
    drop_in(machine, "WatchdogSec=6")
    frozen, _ = machine.workers()
    machine.run("kill", "-STOP", str(frozen))
    # Until systemd has heard of it for longer than it would have waited.
    begun = int(machine.show("WatchdogTimestampMonotonic"))
    eventually(lambda: int(machine.show("WatchdogTimestampMonotonic")) > begun + 9_000_000)
    assert machine.show("NRestarts") == "0"
    machine.run("kill", "-CONT", str(frozen))


# --- Reload, update, crash, stop ---


def test_a_job_survives_a_reload(machine: Machine) -> None:
    job_id = machine.start_job("await /srv/reloaded", "result ok")
    machine.run("systemctl", "reload", SERVICE)
    machine.run("touch", "/srv/reloaded")
    assert machine.job(job_id, wait=20)["status"] == "succeeded"


def test_after_a_reload_the_next_job_has_the_new_settings(machine: Machine) -> None:
    old = machine.workers()
    machine.sh(f"echo ADDED=1 >>{CHECKOUT}/.env")
    for number in ("2", "3"):
        machine.sh(f"sed -i s/^ADDED=.*/ADDED={number}/ {CHECKOUT}/.env")
        machine.run("systemctl", "reload", SERVICE)
        assert not {*old} & {*machine.workers()}
        job_id = machine.start_job("environment", "result ok")
        assert machine.job(job_id, wait=20)["status"] == "succeeded"
        assert json.loads(machine.output(job_id)[0])["ADDED"] == number
    # The user of the service needs no sudo.
    machine.sh(f"sed -i /^ADDED=/d {CHECKOUT}/.env")
    done = machine.try_(COMMAND, "reload", user=USER)
    assert (done.returncode, done.stderr) == (
        0,
        "the gateway serves with the new settings and code\n",
    )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("echo PORT=none >>.env", "cannot use PORT: 'none' is not a whole number"),
        ("echo 'import nothing_there' >>app/sse.py", "nothing_there"),
    ],
)
def test_a_reload_that_cannot_work_fails_and_says_why(
    machine: Machine, change: str, reason: str
) -> None:
    job_id = machine.start_job("await /srv/refused", "result ok")
    workers = machine.workers()
    machine.sh(f"cd {CHECKOUT}; cp -p .env app/sse.py /srv; {change}")
    try:
        assert machine.try_("systemctl", "reload", SERVICE).returncode != 0
        assert reason in machine.try_("systemctl", "status", "--no-pager", SERVICE).stdout
        assert machine.workers() == workers
        done = machine.install()
        assert done.returncode == 1
        assert reason in output_of(done)
    finally:
        machine.sh(f"cd {CHECKOUT}; cp -p /srv/.env .; cp -p /srv/sse.py app")
    machine.run("systemctl", "reload", SERVICE)
    assert not {*workers} & {*machine.workers()}
    machine.run("touch", "/srv/refused")
    assert machine.job(job_id, wait=20)["status"] == "succeeded"
    machine.run("rm", "/srv/refused")


def test_a_job_survives_an_update(machine: Machine) -> None:
    job_id = machine.start_job("await /srv/updated", "result ok")
    master = machine.show("MainPID")
    machine.sh(f"sed -i 's/Claude Code API Gateway/Updated/' {CHECKOUT}/app/api/root.py")
    done = machine.install()
    assert done.returncode == 0, output_of(done)
    assert "running jobs go on" in done.stdout
    assert json.loads(machine.curl("/"))["message"] == "Updated"
    assert machine.show("MainPID") == master
    machine.run("touch", "/srv/updated")
    assert machine.job(job_id, wait=20)["status"] == "succeeded"


def test_an_update_of_the_unit_restarts_nothing_while_a_job_runs(machine: Machine) -> None:
    job_id = machine.start_job("await /srv/unit", "result ok")
    master = machine.show("MainPID")
    machine.sh(f"sed -i s/^RestartSec=.*/RestartSec=3/ {CHECKOUT}/{SERVICE}")
    # Until the second has passed in which the service was started.
    eventually(lambda: machine.sh("date +%s") > machine.sh(f"date -d '{since(machine)}' +%s"))
    for _ in range(2):
        done = machine.install()
        assert done.returncode == 0, output_of(done)
        assert f"sudo systemctl restart {SERVICE.removesuffix('.service')}" in done.stdout
        assert machine.show("MainPID") == master
    machine.run("touch", "/srv/unit")
    assert machine.job(job_id, wait=20)["status"] == "succeeded"
    assert "restarting" in machine.install().stdout
    assert machine.show("MainPID") != master
    assert "nothing has changed" in machine.install().stdout


def since(machine: Machine) -> str:
    return machine.show("ActiveEnterTimestamp")


def test_an_update_of_the_packages_waits_until_no_job_runs(machine: Machine) -> None:
    job_id = machine.start_job("await /srv/packages", "result ok")
    machine.sh(f"echo '# changed' >>{CHECKOUT}/requirements.txt")
    assert_refused(machine, state_of(machine), "while jobs run (1)", "Nothing was changed")
    machine.run("touch", "/srv/packages")
    assert machine.job(job_id, wait=20)["status"] == "succeeded"
    done = machine.install()
    assert done.returncode == 0, output_of(done)
    assert "restarting" in done.stdout


def test_an_update_to_another_layout_of_the_state_waits_until_no_job_runs(
    machine: Machine,
) -> None:
    job_id = machine.start_job("await /srv/layout", "result ok")
    version = f"{CHECKOUT}/app/state/version.py"
    machine.sh(f"cp -p {version} /srv; sed -i 's/^LAYOUT = .*/LAYOUT = 99/' {version}")
    try:
        words = (
            "while jobs run (1)",
            "the layout of the state folder changes",
            "Nothing was changed",
        )
        assert_refused(machine, state_of(machine), *words)
        machine.run("touch", "/srv/layout")
        assert machine.job(job_id, wait=20)["status"] == "succeeded"
        done = machine.install()
        assert done.returncode == 0, output_of(done)
        assert "restarting" in done.stdout
    finally:
        machine.sh(f"systemctl stop {SERVICE}; cp -p /srv/version.py {version}")
        machine.sh(f"echo {LAYOUT} >{STATE}/version; systemctl start {SERVICE}")


def test_a_second_installation_changes_nothing(machine: Machine) -> None:
    machine.install()
    before = state_of(machine)
    done = machine.install()
    assert done.returncode == 0, output_of(done)
    assert "nothing has changed" in done.stdout
    assert state_of(machine) == before


def test_a_dry_run_of_an_update_changes_nothing(machine: Machine) -> None:
    machine.sh(f"echo >>{CHECKOUT}/app/sse.py; echo >>{CHECKOUT}/{SERVICE}")
    before = state_of(machine)
    done = machine.install("--dry-run")
    assert done.returncode == 0, output_of(done)
    assert "systemctl daemon-reload" in done.stdout
    assert state_of(machine) == before
    machine.install()


def test_a_killed_gateway_comes_back_and_its_jobs_are_closed_as_lost(machine: Machine) -> None:
    """With KillMode=mixed, systemd kills what is left of the service: no job survives that."""
    job_id = machine.start_job("child session deaf", "child daemon unmarked", "silent")
    master = machine.show("MainPID")
    # The CLI and its children.
    eventually(lambda: len(processes_of_jobs(machine)) >= 3)
    before = processes_of_jobs(machine)
    machine.run("kill", "-KILL", master)
    eventually(lambda: machine.show("MainPID") not in (master, "0"))
    eventually(machine.answers)
    assert machine.job(job_id)["status"] == "lost"
    # The new gateway starts the CLI, too: it looks what that can do, and keeps a spare.
    assert not before & processes_of_jobs(machine)


def processes_of_jobs(machine: Machine) -> set[str]:
    """The pids of each CLI, and of what jobs have started."""
    found = machine.try_("pgrep", "-u", USER, "-f", "fake_claude.py -|signal, time")
    return {*found.stdout.split()}


def test_a_stop_leaves_nothing(machine: Machine) -> None:
    drop_in(machine, "Environment=KILL_GRACE=1")
    job_id = machine.start_job("child session deaf", "child daemon unmarked", "deaf", "silent")
    machine.run("systemctl", "stop", SERVICE)
    assert machine.show("Result") == "success"
    assert machine.show("ControlGroup") == ""
    assert machine.try_("pgrep", "-u", USER, "-l", ".").stdout == ""
    assert machine.try_("ls", "/run/claudecode2api").returncode != 0
    machine.run("systemctl", "start", SERVICE)
    assert machine.job(job_id)["status"] == "cancelled"


def test_a_stop_may_take_as_long_as_kill_grace_allows(machine: Machine) -> None:
    drop_in(machine, "TimeoutStopSec=4", "WatchdogSec=5", "Environment=KILL_GRACE=7")
    job_id = machine.start_job("deaf", "silent")
    machine.run("systemctl", "stop", SERVICE)
    assert machine.show("Result") == "success"
    machine.run("systemctl", "start", SERVICE)
    assert (machine.job(job_id)["status"], machine.job(job_id)["signal"]) == (
        "cancelled",
        "SIGKILL",
    )


def test_a_port_in_use_ends_it_for_good(machine: Machine) -> None:
    other = "import socket, time; s = socket.create_server(('127.0.0.1', 9800)); time.sleep(1000)"
    machine.run("systemd-run", "--unit=other", "python3", "-c", other)
    try:
        machine.write(f"{UNIT}.d/test.conf", "[Service]\nEnvironment=PORT=9800\n")
        machine.run("systemctl", "daemon-reload")
        eventually(lambda: machine.try_("curl", "-sm", "1", "127.0.0.1:9800").returncode == 28)
        assert machine.try_("systemctl", "restart", SERVICE).returncode != 0
        assert (machine.show("ExecMainStatus"), machine.show("ActiveState")) == ("78", "failed")
        assert "cannot listen on 127.0.0.1, port 9800: the port is in use" in machine.journal()
    finally:
        machine.run("systemctl", "stop", "other")


def test_settings_that_cannot_be_used_end_it_for_good(machine: Machine) -> None:
    machine.write(f"{UNIT}.d/test.conf", "[Service]\nEnvironment=PORT=none\n")
    machine.run("systemctl", "daemon-reload")
    assert machine.try_("systemctl", "restart", SERVICE).returncode != 0
    assert machine.show("ExecMainStatus") == "78"
    assert machine.show("ActiveState") == "failed"
    assert "cannot use PORT" in machine.journal()


def test_the_journal_has_each_job_and_no_secret(machine: Machine) -> None:
    job_id = machine.start_job("line what-was-printed", "result ok")
    assert machine.job(job_id, wait=20)["status"] == "succeeded"
    machine.curl("/processes", "-u", "admin:a-wrong-password")
    journal = machine.journal()
    assert re.search(rf"job {job_id} started", journal)
    assert "what-was-printed" not in journal
    assert "a-wrong-password" not in journal
    assert machine.password() not in journal
