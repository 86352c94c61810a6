"""install.sh on machines that lack something, and what it refuses."""

import shlex

import pytest

from tests.support.gateway import ROOT, eventually
from tests.support.installed import COMMAND, STATE, UNIT, assert_refused, state_of
from tests.support.systemd import (
    CHECKOUT,
    HOME,
    PIP,
    SERVICE,
    USER,
    Machine,
    copy_checkout,
    output_of,
    write_wheel,
)

pytestmark = pytest.mark.root


# --- Machines that lack something ---


def test_a_dry_run_changes_nothing(fresh: Machine) -> None:
    before = state_of(fresh)
    done = fresh.install("--dry-run")
    assert done.returncode == 0, output_of(done)
    assert done.stderr == ""
    for word in (
        "-m venv venv",
        "systemctl start",
        "daemon-reload",
        "would write: .env (mode 600)",
    ):
        assert word in done.stdout
    assert state_of(fresh) == before


def test_a_machine_without_a_cli_gets_the_one_of_the_wheel(packed: Machine) -> None:
    requirement = (ROOT / "requirements-claude.txt").read_text(encoding="utf-8").split()[-1]
    packed.run("mkdir", "/srv/more")
    write_wheel(packed.folder() / "srv/more", requirement)
    packed.run("rm", f"{HOME}/.local/bin/claude")
    done = packed.install(PIP_FIND_LINKS="/srv/wheels /srv/more")
    assert done.returncode == 0, output_of(done)
    assert "_bundled/claude" in done.stdout
    job_id = packed.start_job("result ok")
    assert packed.job(job_id, wait=20)["status"] == "succeeded"


def test_a_cli_that_cannot_be_installed_is_reported_and_the_service_is_not_touched(
    packed: Machine,
) -> None:
    packed.run("rm", f"{HOME}/.local/bin/claude")
    done = packed.install()
    assert done.returncode == 1
    assert "cannot install the CLI" in done.stderr
    assert "--cli official" in done.stderr
    packed.sh(f"! ls {UNIT} {COMMAND} {CHECKOUT}/.env {STATE} 2>/dev/null")


def test_a_cli_of_the_users_own_path_is_named_in_the_settings(packed: Machine) -> None:
    packed.sh(f"mkdir {HOME}/tools; mv {HOME}/.local/bin/claude {HOME}/tools", user=USER)
    done = packed.install(PATH=f"{HOME}/tools:/usr/bin:/bin")
    assert done.returncode == 0, output_of(done)
    assert f"CLAUDE_PATH={HOME}/tools/claude\n" in packed.run("cat", f"{CHECKOUT}/.env")
    assert packed.answers()


def test_on_a_machine_without_venv_the_package_to_install_is_named(fresh: Machine) -> None:
    fresh.run("dpkg", "--remove", "python3-venv", "python3.11-venv")
    assert_refused(fresh, state_of(fresh), "has no venv", "apt-get install", "python3-venv")


def test_venv_is_installed_when_that_is_allowed(fresh: Machine) -> None:
    fresh.run("dpkg", "--remove", "python3-venv", "python3.11-venv")
    done = fresh.install("--yes", "--no-start")
    assert done.returncode == 0, output_of(done)
    fresh.run("dpkg", "--status", "python3-venv")


def test_an_old_python_is_named(fresh: Machine) -> None:
    old = 'case $1 in --version) echo "Python 3.9.2";; *) exit 1;; esac'
    for name in ("python3", "python3.11", "python3.12", "python3.13", "python3.14"):
        fresh.write(f"/srv/old/{name}", f"#!/bin/sh\n{old}\n", "755")
    assert_refused(
        fresh,
        state_of(fresh),
        "cannot find Python 3.11 or newer",
        "python3 is Python 3.9.2",
        PATH="/srv/old:/usr/bin:/bin",
    )


def test_a_port_that_is_taken_is_reported_before_the_service_is_touched(packed: Machine) -> None:
    other = "import socket, time; s = socket.create_server(('127.0.0.1', 9876)); time.sleep(1000)"
    packed.run("systemd-run", "--unit=other", "python3", "-c", other)
    eventually(lambda: packed.try_("curl", "-sm", "1", "127.0.0.1:9876").returncode == 28)
    done = packed.install()
    assert done.returncode == 1
    assert "cannot listen on 127.0.0.1, port 9876: the port is in use" in done.stderr
    packed.sh(f"! ls {UNIT} {COMMAND} {CHECKOUT}/.env {STATE} 2>/dev/null")
    done = packed.install("--port", "9877")
    assert done.returncode == 0, output_of(done)
    assert "http://127.0.0.1:9877" in done.stdout


def test_a_start_that_fails_is_reported_with_the_journal_and_not_tried_for_ever(
    packed: Machine,
) -> None:
    packed.write(
        f"{UNIT}.d/test.conf", "[Service]\nExecStartPre=sh -c 'echo out of luck; exit 1'\n"
    )
    done = packed.install()
    assert done.returncode == 1
    assert "out of luck" in done.stderr
    assert "run ./install.sh again" in done.stderr
    assert packed.show("ActiveState") in ("failed", "inactive")
    packed.run("rm", "-r", f"{UNIT}.d")
    done = packed.install()
    assert done.returncode == 0, output_of(done)


@pytest.mark.parametrize(
    "content, words",
    [
        ("AUTH_PASSWORD='open\n", "line 1"),
        ("AUTH_PASSWORD=x\nPORT=many\n", "cannot use PORT"),
        ("AUTH_PASSWORD=your-secure-password\n", "still the placeholder"),
        ("AUTH_PASSWORD=x\nCLAUDE_PATH=/nowhere\n", "cannot find claude; correct CLAUDE_PATH"),
    ],
)
def test_settings_that_cannot_be_used_are_reported(
    packed: Machine, content: str, words: str
) -> None:
    packed.write(f"{CHECKOUT}/.env", content, "600", USER)
    done = packed.install()
    assert done.returncode == 1
    assert words in done.stderr
    assert "Traceback" not in output_of(done)
    assert packed.run("cat", f"{CHECKOUT}/.env") == content
    packed.sh(f"! ls {UNIT} {COMMAND} {STATE} 2>/dev/null")


def test_existing_settings_are_used_and_never_touched(packed: Machine) -> None:
    content = "PORT=9000\nAUTH_USER=somebody\nAUTH_PASSWORD='with # and '\n"
    packed.write(f"{CHECKOUT}/.env", content, "600", USER)
    assert "cannot set PORT to 9001" in packed.install("--port", "9001").stderr
    done = packed.install()
    assert done.returncode == 0, output_of(done)
    # The password is none that a shell could take from the file, so curl asks for it.
    assert "curl -N -u somebody -H" in done.stdout
    assert "http://127.0.0.1:9000/chat" in done.stdout
    assert packed.run("cat", f"{CHECKOUT}/.env") == content


def test_the_settings_of_the_toml_file_stay_in_effect(packed: Machine) -> None:
    toml = f"{CHECKOUT}/claudecode2api.toml"
    packed.write(toml, "port = true\n", "644", USER)
    done = packed.install()
    assert (done.returncode, "Correct the settings" in done.stderr) == (1, True)
    packed.write(toml, "port = 9000\n", "644", USER)
    assert "cannot set PORT to 9001" in packed.install("--port", "9001").stderr
    done = packed.install()
    assert done.returncode == 0, output_of(done)
    assert "http://127.0.0.1:9000/chat" in done.stdout
    made = packed.run("cat", f"{CHECKOUT}/.env")
    assert "\n# PORT=9876\n" in made and "\n# HOST=127.0.0.1\n" in made
    packed.sh(f"rm {CHECKOUT}/.env")
    packed.write(toml, 'port = 9001\nauth_password = "a password"\n', "600", USER)
    done = packed.install()
    assert done.returncode == 0, output_of(done)
    assert f"in {toml}, line 2" in done.stdout
    packed.run("curl", "-sf", "-u", "admin:a password", "http://127.0.0.1:9001/processes")
    packed.sh(f"! ls {CHECKOUT}/.env 2>/dev/null")


def test_root_must_name_a_user(fresh: Machine) -> None:
    assert_refused(fresh, state_of(fresh), "cannot install for root", "--user", user="root")


def test_root_installs_nothing_from_a_checkout_that_others_can_write(fresh: Machine) -> None:
    before = state_of(fresh)
    for options in (["--dry-run"], []):
        done = fresh.try_(f"{CHECKOUT}/install.sh", "--user", USER, *options)
        assert done.returncode == 1
        assert (
            f"cannot install as root: {USER} can write {HOME}, and root would run it"
            in output_of(done)
        )
        assert "chown -R root:" in output_of(done)
    assert state_of(fresh) == before
    fresh.sh(f"cp -a {CHECKOUT} /opt/gateway; chown -R root: /opt/gateway")
    fresh.sh("chmod o+w /opt/gateway/app/sse.py")
    done = fresh.try_("/opt/gateway/install.sh", "--user", USER)
    assert "can write /opt/gateway/app/sse.py" in done.stderr


#: A program that says as whom it ran, and is of no use otherwise.
SPY = "#!/bin/sh\nid -u >>/srv/spied\nexit 1\n"
#: The fake CLI, without a login.
LOGGED_OUT = """\
#!/bin/sh
[ "$1" != auth ] || { echo '{"loggedIn": false}'; exit 1; }
exec /usr/bin/python3 -I -S /srv/fake_claude.py "$@"
"""


def test_root_installs_for_another_user_and_runs_nothing_that_it_has_written(
    fresh: Machine,
) -> None:
    fresh.run("useradd", "--create-home", "worker")
    fresh.sh(f"cp -a {CHECKOUT} /opt/gateway; chown -R root: /opt/gateway")
    fresh.run("install", "-m", "666", "/dev/null", "/srv/spied")
    fresh.run("install", "-d", "-o", "worker", "/opt/gateway/venv")
    for name in ("venv/bin/python", "venv/bin/python3", "venv/bin/pip", "venv/bin/gunicorn"):
        fresh.write(f"/opt/gateway/{name}", SPY, "755", "worker")
    fresh.sh("echo old >/opt/gateway/venv/stamp; chown -R worker: /opt/gateway/venv")
    for name in ("python3", "pip", "claude"):
        fresh.write(f"/home/worker/.local/bin/{name}", SPY, "755", "worker")
    fresh.sh("sed -i 's|^exit 1|exec /usr/local/bin/claude \"$@\"|' /home/worker/.local/bin/claude")
    fresh.write("/usr/local/bin/claude", LOGGED_OUT, "755")
    fresh.sh("chown -R worker: /home/worker")
    named = {**PIP, "SECRET_OF_ROOT": "x"}
    for options in (["--dry-run"], []):
        done = fresh.try_("/opt/gateway/install.sh", "--user", "worker", *options, **named)
        assert done.returncode == 0, output_of(done)
        assert "a whole checkout" not in output_of(done)
        assert "by_user" not in output_of(done)
    # The CLI itself was asked, as the worker.
    assert "The CLI is not logged in" in done.stdout
    assert "\n    sudo -u worker -H /home/worker/.local/bin/claude auth login\n" in done.stdout
    assert "/opt/gateway/.env, and then: sudo systemctl reload claudecode2api\n" in done.stdout
    worker = fresh.run("id", "-u", "worker").strip()
    assert set(fresh.run("cat", "/srv/spied").split()) <= {worker}
    assert fresh.show("User") == "worker"
    assert fresh.run("stat", "-c", "%a %U", "/opt/gateway/.env") == "600 worker\n"
    assert fresh.sh("find /opt/gateway/venv ! -user worker") == ""
    # Its venv/ is the worker's, so root does not run the command.
    done = fresh.try_(COMMAND, "doctor")
    assert done.returncode == 78
    assert "sudo -u worker /opt/gateway/scripts/claudecode2api" in done.stderr
    shown = fresh.run(COMMAND, "key", "add", "default", "--print", user="worker")
    assert "cc2_" in shown or len(shown.strip()) > 16
    fresh.run("systemctl", "reload", SERVICE)


def test_without_a_password_for_sudo_nothing_begins(fresh: Machine) -> None:
    fresh.run("rm", f"/etc/sudoers.d/{USER}")
    assert_refused(fresh, state_of(fresh), "sudo asks for a password", "--user me")


def test_without_the_rights_nothing_begins(fresh: Machine) -> None:
    fresh.sh(f"cp -a {CHECKOUT} /opt/gateway; mkdir -p /opt/gateway/venv/bin {CHECKOUT}/venv/lib")
    fresh.sh("touch /opt/gateway/venv/bin/python /opt/gateway/.env; chown -R root: /opt/gateway")
    before = fresh.sh("find /opt/gateway -printf '%p %m %u %T@\\n'")
    for options in (["--uninstall"], ["--uninstall", "--purge", "--yes"], []):
        done = fresh.try_("/opt/gateway/install.sh", *options, user=USER)
        assert done.returncode == 1
        assert "cannot write" in done.stderr and "sudo" in done.stderr
        assert len(done.stderr.splitlines()) <= 2, done.stderr
    assert fresh.sh("find /opt/gateway -printf '%p %m %u %T@\\n'") == before
    # What root has left in a checkout of the user's.
    fresh.sh(f"chown -R {USER}: {CHECKOUT}/venv; chown root: {CHECKOUT}/venv/lib")
    folder = f"cannot write {CHECKOUT}/venv/lib"
    assert_refused(fresh, state_of(fresh), folder, f"sudo rm -r {CHECKOUT}/venv")
    done = fresh.install("--uninstall")
    assert (done.returncode, folder in done.stderr) == (1, True)
    assert done.stderr.count("\n") == 1
    fresh.sh(f"rm -r {CHECKOUT}/venv; install -m 600 /dev/null {CHECKOUT}/.env")
    assert_refused(fresh, state_of(fresh), f"cannot read {CHECKOUT}/.env", f"sudo chown {USER}:")


def test_without_systemd_it_says_how_to_start(packed: Machine) -> None:
    hidden = "mount -t tmpfs tmpfs /run/systemd && rmdir /run/systemd/system 2>/dev/null; "
    install = f"{CHECKOUT}/install.sh"
    become = f"runuser -u {USER} -- env PIP_NO_INDEX=1 PIP_FIND_LINKS=/srv/wheels HOME={HOME}"
    printed = packed.sh(f"unshare --mount sh -c {shlex.quote(f'{hidden}{become} {install}')}")
    assert f"cd {CHECKOUT} && venv/bin/gunicorn" in printed
    packed.sh(f"! ls {UNIT} {COMMAND} 2>/dev/null")
    packed.run(
        "systemd-run",
        "--unit=try",
        f"--uid={USER}",
        "sh",
        "-c",
        f"cd {CHECKOUT} && venv/bin/gunicorn",
    )
    eventually(packed.answers)


def test_uninstalling_keeps_the_settings_and_the_state(packed: Machine) -> None:
    assert packed.install().returncode == 0
    job_id = packed.start_job("result ok")
    assert packed.job(job_id, wait=20)["status"] == "succeeded"
    before = state_of(packed)
    done = packed.install("--uninstall", "--dry-run")
    assert done.returncode == 0, output_of(done)
    assert state_of(packed) == before
    done = packed.install("--uninstall")
    assert done.returncode == 0, output_of(done)
    packed.sh(f"! ls -d {UNIT} {COMMAND} {CHECKOUT}/venv 2>/dev/null")
    assert packed.try_("systemctl", "cat", SERVICE).returncode != 0
    packed.run("ls", f"{CHECKOUT}/.env", f"{STATE}/jobs/{job_id}")
    assert "add --yes" in packed.install("--uninstall", "--purge").stderr
    packed.run("ls", f"{CHECKOUT}/.env", f"{STATE}/jobs/{job_id}")
    assert packed.install("--uninstall", "--purge", "--yes").returncode == 0
    packed.sh(f"! ls -d {CHECKOUT}/.env {STATE} 2>/dev/null")


def test_a_second_checkout_does_not_take_the_service_over(packed: Machine) -> None:
    assert packed.install("--no-start").returncode == 0
    packed.sh(f"mv {CHECKOUT} {HOME}/first; sed -i s,{CHECKOUT},{HOME}/first, {UNIT}")
    copy_checkout(packed)
    assert_refused(packed, state_of(packed), f"the service belongs to {HOME}/first")


@pytest.mark.parametrize(
    "options, word",
    [
        (["--port"], "cannot use --port without a value"),
        (["--port", "x"], "cannot use --port x"),
        (["--host", "a|b"], "cannot use --host a|b"),
        (["--cli", "magic"], "cannot use --cli magic"),
        (["--user", "nobody-here"], "there is no such user"),
        (["--purge"], "cannot use --purge without --uninstall"),
        (["--what"], "cannot use --what"),
    ],
)
def test_options_that_cannot_be_used_are_reported(
    machine: Machine, options: list[str], word: str
) -> None:
    done = machine.install(*options)
    assert done.returncode == 1
    assert word in done.stderr
