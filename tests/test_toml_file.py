"""claudecode2api.toml: what it can set, what wins over it, and which lines are refused."""

from pathlib import Path

import pytest

from app.settings import Settings, load_with_origins, setting_kinds
from tests.support.settings import LEAST, PRIVATE, refusal

#: A value in TOML for each type of setting, and the same in `.env`.
_BY_KIND = {
    "text": ('"some text"', "some text"),
    "list": ('["a", "b"]', "a,b"),
    "whole number": ("1_000", "1000"),
    "number": ("1.5", "1.5"),
    "switch": ("true", "true"),
}
# Settings that do not take any text, list or number.
_OWN = {
    "API_KEYS": ('["ci:a-long-key-of-ci"]', "ci:a-long-key-of-ci"),
    "ALLOWED_HOSTS": ('["a.example"]', "a.example"),
    "CHAT_MODE": ('"model"', "model"),
    "CLAUDE_ACCESS_TOKEN": ('"a-token"', "a-token"),
    "CORS_ORIGINS": ('["https://a.example", "null"]', "https://a.example,null"),
    "CWD_ROOTS": ('["/", "/tmp"]', "/,/tmp"),
    "FORWARDED_ALLOW_IPS": ('["10.0.0.0/8"]', "10.0.0.0/8"),
    "KILL_GRACE": ("2", "2"),
    "LOG_FORMAT": ('"json"', "json"),
    "LOG_LEVEL": ('"debug"', "debug"),
    "MCP_CONFIG": ('""', ""),
    "MODEL_ALIASES": ('["gpt-4o=sonnet"]', "gpt-4o=sonnet"),
    "SPARES": ("2", "2"),
    "START_RETRIES": ("2", "2"),
    "STATE_DIR": ('"/srv/state"', "/srv/state"),
    "WORKERS": ("3", "3"),
    "WORKSPACES": ('"/srv/work"', "/srv/work"),
    "USAGE_RETENTION": ("86400", "86400"),
}


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    """Where the file stands, beside `.env`."""
    return tmp_path / "claudecode2api.toml"


def test_each_setting_can_be_in_the_file(env_file: Path, toml: Path) -> None:
    kinds = {name: kind for name, kind in setting_kinds().items() if not name.endswith("_FILE")}
    in_toml = {name: _OWN.get(name, _BY_KIND[kind]) for name, kind in kinds.items()}
    toml.write_text("".join(f"{name.lower()} = {own}\n" for name, (own, _) in in_toml.items()))
    as_text = {name: text for name, (_, text) in in_toml.items()}
    assert Settings.load({}, env_file) == Settings.load(as_text)


def test_the_environment_wins_over_env_and_that_over_the_file(env_file: Path, toml: Path) -> None:
    toml.write_text('port = 1\nworkers = 1\nhost = "::1"\n')
    env_file.write_text("PORT=2\nWORKERS=2\n")
    found, origins = load_with_origins({**LEAST, "PORT": "3"}, env_file)
    assert (found.port, found.workers, found.host, found.queue_size) == (3, 2, "::1", 100)
    assert {name: str(origins[name]) for name in ("PORT", "WORKERS", "HOST", "QUEUE_SIZE")} == {
        "PORT": "the environment",
        "WORKERS": str(env_file),
        "HOST": f"{toml}, line 3",
        "QUEUE_SIZE": "default",
    }


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("prot = 1", 1, "'prot' in {}, line 1: there is no such setting; did you mean port?"),
        ("\n# x\nPORT = 1", 3, "'PORT' in {}, line 3: names are in lower case; write port"),
        ("[server]\nport = 1", 1, "'server' in {}, line 1: there is no such setting"),
        ("x = 1\n", 1, "variables for the CLI belong in .env"),
        ('port = "1"', 1, "it must be a whole number without quotes"),
        ("port = 1.0", 1, "it must be a whole number without quotes"),
        ("port = true", 1, "it must be a whole number without quotes"),
        ("port = 70000", 1, "'port' in {}, line 1: '70000' is not a whole number from 1 to"),
        ("host = 127", 1, "it must be a text in quotes"),
        ('heartbeat = "15"', 1, "it must be a number without quotes"),
        ("heartbeat = nan", 1, "'heartbeat' in {}, line 1: 'nan' is not"),
        ("shared_jobs = 1", 1, "it must be true or false without quotes"),
        ('shared_jobs = "true"', 1, "it must be true or false without quotes"),
        ('cwd_roots = "/"', 1, "it must be a list of texts"),
        ('host = "::1"\ncwd_roots = [\n  "/",\n  1,\n]', 2, "it must be a list of texts"),
        ('models = ["a,b"]', 1, "an entry of the list must not contain a comma"),
        ('host = """\nport = 1\n"""\nmax_body = 0', 4, "'0' is not a whole number from 1 to"),
        ("host = ::1", 1, "cannot read {}, line 1: invalid value; write name = value"),
        ('a = 1\nhost = "::1', 2, "cannot read {}, line 2: "),
        ("port = 1\nport = 2", 2, "cannot read {}, line 2: "),
        ("port =", 1, "cannot read {}, line 1: "),
        ("port = 1979-05-27", 1, "it must be a whole number without quotes"),
        (f"port = 0x{'f' * 5000}", 1, "'port' in {}, line 1: "),
        (f"port = {'[' * 5000}", None, "its lists are nested too deeply"),
    ],
)
def test_a_wrong_line_is_one_sentence_with_file_and_line(
    env_file: Path, toml: Path, text: str, line: int | None, reason: str
) -> None:
    toml.write_text(text)
    message = refusal(LEAST, env_file)
    assert reason.format(toml) in message
    assert line is None or f"{toml}, line {line}:" in message


def test_a_file_that_cannot_be_read_is_refused(env_file: Path, toml: Path) -> None:
    toml.write_bytes(b'host = "\xff"')
    assert refusal(LEAST, env_file) == f"cannot read {toml}: it is not UTF-8"
    toml.unlink()
    toml.mkdir()
    assert refusal(LEAST, env_file) == f"cannot read {toml}: Is a directory"


@pytest.mark.parametrize(
    "text",
    [
        f'auth_password = ["{PRIVATE}"]',
        f'auth_password = "{PRIVATE}',
        f"auth_password = {PRIVATE}",
        f'api_keys = "{PRIVATE}"',
        f'api_keys = ["{PRIVATE},{PRIVATE}"]',
        f'api_keys = ["Nobody:sha256:{PRIVATE}"]',
    ],
)
def test_no_message_has_a_secret(env_file: Path, toml: Path, text: str) -> None:
    toml.write_text(text)
    assert PRIVATE not in refusal({**LEAST, "AUTH_PASSWORD": "x"}, env_file)
