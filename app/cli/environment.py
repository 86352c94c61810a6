"""The CLI's environment, built so that it contains nothing of the gateway's."""

import re
from collections.abc import Mapping

from app.settings import setting_names

# systemd's variables (systemd.exec(5), systemd.service(5), sd_notify(3), sd_listen_fds(3)): with
# the notification socket, a job could send messages in the gateway's name.
_SYSTEMD = re.compile(
    "(CACHE|CONFIGURATION|CREDENTIALS|LOGS|RUNTIME|STATE)_DIRECTORY"
    "|DEBUG_INVOCATION|EXIT_CODE|EXIT_STATUS|FDSTORE|INVOCATION_ID|JOURNAL_STREAM"
    "|LOG_NAMESPACE|MAINPID|MAINPIDFDID|MANAGERPID|MANAGERPIDFDID|NOTIFY_SOCKET|PIDFILE"
    "|REMOTE_ADDR|REMOTE_PORT|SERVICE_RESULT"
    "|(LISTEN|MEMORY_PRESSURE|MONITOR|SYSTEMD|TRIGGER|WATCHDOG)_.*"
)
# Variables of the server, its Python, and the shell that started it.
_SERVER = {
    "CLAUDECODE2API_ENV_FILE",
    "CLAUDECODE2API_LISTENS",
    "GUNICORN_CMD_ARGS",
    "GUNICORN_FD",
    "GUNICORN_PID",
    "OLDPWD",
    "PROMETHEUS_MULTIPROC_DIR",
    "PWD",
    "SERVER_SOFTWARE",
    "SHLVL",
    "VIRTUAL_ENV",
    "VIRTUAL_ENV_PROMPT",
    "WEB_CONCURRENCY",
    "_",
}
# A CLI that starts the gateway sets variables which make a job believe that it is part of that
# session. Each version adds some, so of the CLI's variables only those pass that configure it: by
# the first word after the prefix, unless the name identifies a session, process or descriptor.
_CLI = re.compile("AI_AGENT|CLAUDE(CODE)?(_.*)?")
_SWITCH = re.compile("CLAUDE_(CODE_)?(DISABLE|EMIT|ENABLE|FORCE|MAX|NO|SKIP|USE)_.+")
_CONFIGURES = re.compile(
    "CLAUDE_(AUTOCOMPACT|BASH|CONFIG|SECURESTORAGE|STREAM|TMPDIR).*"
    "|CLAUDE_CODE_(ACCESSIBILITY|ADDITIONAL|API|ATTRIBUTION|AUTO|AWS|BASH|CERT|CLIENT|CONFIG|CONNECT"
    "|CUSTOM|DEBUG|EFFORT|EXIT|EXTRA|FILE|GIT|GLOB|HTTP|IDE|MCP|MODEL|OAUTH|OTEL|PERFORCE|PLUGIN"
    "|PRINT|PROMPT|PROPAGATE|PROXY|RETRY|SANDBOX|SCRIPT|SESSIONEND|SHELL|SIMPLE|STREAM|SUBAGENT"
    "|SUBPROCESS|TMPDIR|TOOL|WEBFETCH|WEBSEARCH|WORKFLOW)(_.*)?"
)
_IDENTIFIES = re.compile(
    "(^|_)(CHILD|DESCRIPTOR|ENTRYPOINT|FD|HANDOVER|ID|LAUNCH|PARENT|PID|PORT|SESSIONS?|SOCK|SOCKET"
    "|SPAWN|UUID)(_|$)"
)
_DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin"


def build_environment(environ: Mapping[str, str], others: Mapping[str, str]) -> dict[str, str]:
    """The CLI's environment: the gateway's `environ` over `others`, the variables of `.env`.

    The variables of `.env` all pass. Of `environ` these are left out: the gateway's settings, and
    the variables of systemd, the server, and a session of the CLI that started it.

    >>> build_environment({"AUTH_PASSWORD": "x", "HOME": "/h", "PATH": "/b"}, {"KEY": "k"})
    {'KEY': 'k', 'HOME': '/h', 'PATH': '/b'}
    """
    own = {name: value for name, value in environ.items() if not _is_left_out(name)}
    return {"PATH": _DEFAULT_PATH, **others, **own} if "PATH" not in own else {**others, **own}


def left_by_session(environ: Mapping[str, str], others: Mapping[str, str]) -> list[str]:
    """The variables of `environ` that are left out because a session of the CLI has set them."""
    return sorted(name for name in environ if _is_of_session(name) and name not in others)


def _is_left_out(name: str) -> bool:
    return (
        name in setting_names()
        or name in _SERVER
        or _SYSTEMD.fullmatch(name) is not None
        or _is_of_session(name)
    )


def _is_of_session(name: str) -> bool:
    """Whether a variable identifies the session of the CLI that set it.

    >>> _is_of_session("CLAUDE_CODE_MESSAGING_TOKEN"), _is_of_session("CLAUDE_CODE_USE_BEDROCK")
    (True, False)
    """
    if _CLI.fullmatch(name) is None or name in setting_names() or _SWITCH.fullmatch(name):
        return False
    return _CONFIGURES.fullmatch(name) is None or _IDENTIFIES.search(name) is not None
