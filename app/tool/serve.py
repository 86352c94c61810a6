"""`claudecode2api serve`: run the gateway in the foreground."""

import argparse
import os
import sys
from pathlib import Path
from typing import NoReturn

from app.cli import credentials
from app.cli.environment import build_environment
from app.cli.locator import locate
from app.errors import ConfigurationError
from app.setting_sources import ENV_FILE
from app.tool.checkout import Checkout
from app.tool.failure import UNCONFIGURED, Failure
from app.tool.login_status import ask_cli
from app.tool.package_settings import unused_env_file
from app.tool.remedies import Remedies
from app.tool.screen import note


def serve(checkout: Checkout, arguments: argparse.Namespace) -> NoReturn:
    """Replace this process with gunicorn.

    In a checkout it runs in the checkout's folder; for a package, in the current one.
    """
    if refusal := checkout.root_refusal():
        raise Failure(f"cannot start the gateway: {refusal}", UNCONFIGURED)
    if checkout.is_package:
        if unused := unused_env_file(checkout.env_file):
            note(unused)
        # The gateway must not look for other settings than the command.
        environ = {**checkout.environ, ENV_FILE: str(checkout.env_file)}
        # Beside this Python there may be no gunicorn: pip can install to a user's own folder.
        command = [sys.executable, "-P", "-m", "gunicorn"]
        command += ["-c", str(checkout.folder / "gunicorn.conf.py")]
        help_ = "install claudecode2api again"
    else:
        os.chdir(checkout.folder)
        environ = dict(checkout.environ)
        command = [str(Path(sys.executable).parent / "gunicorn")]
        help_ = "make venv/ again (install.sh does)"
    _hint_at_login(checkout)
    try:
        os.execve(command[0], command, environ)  # noqa: S606 - no shell
    except OSError as error:
        raise Failure(f"cannot run {command[0]}: {error.strerror}; {help_}") from None


def _hint_at_login(checkout: Checkout) -> None:
    """Note how to log in to the CLI, if it is not logged in.

    With credentials of any kind, the CLI is not asked: that takes it half a second.
    """
    try:
        settings = checkout.settings()
        environment = build_environment(checkout.gateway_environ(), settings.environment)
        if credentials.might_exist(environment):
            return
        claude = locate(settings.claude_path, environment)
    except (Failure, ConfigurationError):
        # The gateway reports it.
        return
    if ask_cli(claude.path, environment, settings.state_dir).known is False:
        note(f"the CLI is not logged in, so jobs fail: {Remedies(checkout).log_in(claude.path)}")
