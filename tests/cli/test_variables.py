"""Which environment variables a client may set for a job."""

import pytest

from app.cli.variables import check_variables, is_refused
from app.errors import InvalidRequest
from app.processes import MARK

HARMLESS = [
    *("A", "a", "_", "DATABASE_URL", "GITHUB_TOKEN", "GH_TOKEN", "API_KEY", "NO_COLOR", "CI", "TZ"),
    *("LANG", "LC_ALL", "PATHS", "MY_PATH", "HOMEPAGE", "NODENAME", "GIT_AUTHOR_NAME", "TERM"),
    *("GIT_COMMITTER_EMAIL", "PYTHONUNBUFFERED", "PIP_INDEX_URL", "PROXY", "XDGA", "LDFLAGS"),
]
STEERING = [
    # What the contract names.
    *("CLAUDE_CODE_USE_BEDROCK", "ANTHROPIC_BASE_URL", "AWS_PROFILE", "NODE_OPTIONS", "LD_PRELOAD"),
    *("SSL_CERT_FILE", "OTEL_EXPORTER_OTLP_ENDPOINT", "MCP_TIMEOUT", "DISABLE_TELEMETRY"),
    *("XDG_CONFIG_HOME", "HTTP_PROXY", "https_proxy", "No_Proxy", "ALL_PROXY", "npm_config_proxy"),
    *("PATH", "HOME", "BASH_ENV", "GIT_SSH_COMMAND", "IS_SANDBOX"),
    # More of the kind.
    *("CLAUDECODE", "CLAUDE_CONFIG_DIR", "MAX_THINKING_TOKENS", "DYLD_INSERT_LIBRARIES", "ENV"),
    *("NODE_EXTRA_CA_CERTS", "PYTHONPATH", "PERL5OPT", "BASH_FUNC_ls%%", "GIT_CONFIG_COUNT"),
    *("SHELL", "TMPDIR", "RIPGREP_CONFIG_PATH", "GLIBC_TUNABLES", "SSH_ASKPASS", "path"),
    # What a program would take for LD_PRELOAD.
    "LD_PRELOAD=/tmp/x.so:",
    "x=y",
    MARK,
]


@pytest.mark.parametrize("name", HARMLESS)
def test_a_variable_of_the_tools_is_accepted(name: str) -> None:
    assert not is_refused(name)
    check_variables([name], ("body", "env"))


@pytest.mark.parametrize("name", STEERING)
def test_a_variable_that_steers_the_cli_or_the_loader_is_refused_by_name(name: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        check_variables(["A", name], ("body", "env"))
    (error,) = refused.value.problems
    assert (error["type"], error["loc"]) == ("variable_not_allowed", ["body", "env", name])
    assert name in error["msg"]
    assert "ENV_ALLOWED" in error["msg"]


@pytest.mark.parametrize(
    ("allowed", "name", "refused"),
    [
        (["GIT_SSH_COMMAND"], "GIT_SSH_COMMAND", False),
        (["GIT_SSH_COMMAND"], "GIT_SSH", True),
        (["AWS_*"], "AWS_PROFILE", False),
        (["AWS_*"], "AWS", False),
        (["AWS_*"], "ANTHROPIC_API_KEY", True),
        (["*"], "LD_PRELOAD", False),
        (["https_proxy"], "https_proxy", False),
        (["https_proxy"], "HTTPS_PROXY", True),
        # The processes of a job are known by it.
        (["*"], MARK, True),
        (["*"], "A=B", True),
    ],
)
def test_the_operator_allows_variables_by_name(
    allowed: list[str], name: str, refused: bool
) -> None:
    assert is_refused(name, allowed) is refused


def test_a_long_name_is_quoted_in_part() -> None:
    with pytest.raises(InvalidRequest) as raised:
        check_variables([f"LD_{'x' * 100_000}"], ("body", "settings", "env"))
    (error,) = raised.value.problems
    assert len(str(error)) < 1000
