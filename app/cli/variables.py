"""The environment variables that a client may set for a job. Pure.

The CLI takes the variables of its settings (`env`) for itself as well as for its tools. So names
are refused that steer the CLI, or how programs are found and loaded. This prevents accidents; it
is no wall against a job that runs commands.
"""

from collections.abc import Collection, Iterable
from fnmatch import fnmatchcase

from app.errors import InvalidRequest
from app.processes import MARK
from app.text import shortened

# In capitals: a proxy's variables work in any case. A `*` stands for any characters.
_REFUSED = (
    # The CLI, its account and its limits.
    *("AI_AGENT", "ANTHROPIC_*", "API_TIMEOUT_MS", "BETA_TRACING_*", "CCR_*", "CLAUDE*"),
    *("DEBUG", "DISABLE_*", "ENABLE_*", "FORCE_AUTOUPDATE_*", "FORCE_CODE_*", "IS_SANDBOX"),
    *("MAX_MCP_OUTPUT_TOKENS", "MAX_STRUCTURED_OUTPUT_*", "MAX_THINKING_TOKENS", "MCP_*"),
    *("OTEL_*", "SANDBOX_*", "SELF_HOSTED_RUNNER_*", "SESSION_INGRESS_*", "SLASH_COMMAND_*"),
    *("SRT_*", "TASK_MAX_*", "USE_BUILTIN_*", "USE_*_OAUTH", "VSCODE_*"),
    # The accounts by which it can reach a model.
    *("AWS_*", "AZURE_*", "CLOUD_ML_*", "CLOUDSDK_*", "GCE_*", "GCLOUD_*", "GOOGLE_*", "VERTEX_*"),
    # Where programs and their files are, and what shells run.
    *("BASH_*", "BASHOPTS", "CDPATH", "ENV", "HOME", "IFS", "LESSCLOSE", "LESSOPEN", "LOGNAME"),
    *("PATH", "PROMPT_COMMAND", "PS4", "PWD", "RIPGREP_CONFIG_PATH", "SHELL", "SHELLOPTS"),
    *("TEMP", "TMP", "TMPDIR", "USER", "XDG_*", "ZDOTDIR"),
    # What the loader and interpreters load.
    *("BUN_*", "DENO_*", "DYLD_*", "ELECTRON_*", "GCONV_PATH", "GLIBC_*", "LD_*", "LOCPATH"),
    *("MALLOC_*", "NODE", "NODE_*", "NPM_CONFIG_*", "_JAVA_OPTIONS", "JAVA_TOOL_OPTIONS"),
    *("JDK_JAVA_OPTIONS", "LUA_*", "PERL5*", "PERLLIB", "PYTHONBREAKPOINT", "PYTHONHOME"),
    *("PYTHONPATH", "PYTHONSTARTUP", "PYTHONUSERBASE", "PYTHONWARNINGS", "RUBYLIB", "RUBYOPT"),
    # The network.
    *("*_PROXY", "CURL_*", "GRPC_*", "HOSTALIASES", "LOCALDOMAIN", "OPENSSL_*", "RES_OPTIONS"),
    *("REQUESTS_CA_BUNDLE", "SSL*", "SSH_ASKPASS*", "GIT_*"),
)
# Of those, what git takes as plain texts.
_HARMLESS = ("GIT_AUTHOR_*", "GIT_COMMITTER_*", "GIT_TERMINAL_PROMPT")


def check_variables(
    names: Iterable[str], place: tuple[str, ...], allowed: Collection[str] = ()
) -> None:
    """Check the names of variables that a client sets.

    `place` is where they are in the request, `allowed` is ENV_ALLOWED. Raises InvalidRequest.
    """
    for name in names:
        if is_refused(name, allowed):
            raise InvalidRequest.of(
                "variable_not_allowed",
                (*place, shortened(name)),
                f"{shortened(name)} steers the CLI or how programs are loaded; the operator can"
                " allow it (ENV_ALLOWED)",
            )


def is_refused(name: str, allowed: Collection[str] = ()) -> bool:
    """Whether a client may not set this variable; `allowed` names may end in `*`.

    >>> [is_refused(name) for name in ("LD_PRELOAD", "http_proxy", "MY_KEY", "GIT_AUTHOR_NAME")]
    [True, True, False, False]
    >>> is_refused("AWS_PROFILE", ["AWS_*"])
    False
    """
    # Some programs would take what precedes the sign for the name.
    if name == MARK or "=" in name:
        return True
    upper = name.upper()
    if _fits(name, allowed) or _fits(upper, _HARMLESS):
        return False
    return _fits(upper, _REFUSED)


def _fits(name: str, patterns: Collection[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
