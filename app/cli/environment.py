"""The environment that the CLI gets: built, so that nothing of the gateway's own is in it."""

from collections.abc import Mapping

from app.settings import setting_names

# systemd's (systemd.exec(5), sd_notify(3), sd_listen_fds(3)): a job that spoke on the
# notification socket would speak for the gateway.
_SYSTEMD = {
    "CACHE_DIRECTORY",
    "CONFIGURATION_DIRECTORY",
    "CREDENTIALS_DIRECTORY",
    "FDSTORE",
    "INVOCATION_ID",
    "JOURNAL_STREAM",
    "LISTEN_FDNAMES",
    "LISTEN_FDS",
    "LISTEN_PID",
    "LISTEN_PIDFDID",
    "LOGS_DIRECTORY",
    "LOG_NAMESPACE",
    "MAINPID",
    "MAINPIDFDID",
    "MANAGERPID",
    "MANAGERPIDFDID",
    "MEMORY_PRESSURE_WATCH",
    "MEMORY_PRESSURE_WRITE",
    "NOTIFY_SOCKET",
    "PIDFILE",
    "RUNTIME_DIRECTORY",
    "STATE_DIRECTORY",
    "SYSTEMD_EXEC_PID",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
}
# Of the server's Python and of a CLI that may have started the gateway: a job would believe
# that it runs inside them.
_SERVER = {
    "CLAUDECODE",
    "CLAUDE_CODE_ENTRYPOINT",
    "CLAUDE_CODE_SESSION_ID",
    "CLAUDE_CODE_SSE_PORT",
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
_DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin"


def build_environment(environ: Mapping[str, str], others: Mapping[str, str]) -> dict[str, str]:
    """The CLI's environment: `others` (what else `.env` says) under the gateway's own.

    Without the gateway's settings, systemd's variables, and what belongs to the server.

    >>> build_environment({"AUTH_PASSWORD": "x", "HOME": "/h", "PATH": "/b"}, {"KEY": "k"})
    {'KEY': 'k', 'HOME': '/h', 'PATH': '/b'}
    """
    withheld = setting_names() | _SYSTEMD | _SERVER
    own = {name: value for name, value in environ.items() if name not in withheld}
    return {"PATH": _DEFAULT_PATH, **others, **own} if "PATH" not in own else {**others, **own}
