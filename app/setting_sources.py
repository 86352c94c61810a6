"""The sources of settings: the environment, `.env`, claudecode2api.toml, and files of secrets."""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from app.env_file import read_env_file
from app.errors import ConfigurationError
from app.foreign_settings import hints_for
from app.secret_file import read_secret
from app.toml_file import TOML_NAME, Entry, Kind, read_toml_file

#: Names a file of settings to use instead of `.env`.
ENV_FILE = "CLAUDECODE2API_ENV_FILE"
#: Each setting that names the file of a secret, and what the file has.
SECRET_FILES = {
    "AUTH_PASSWORD_FILE": "AUTH_PASSWORD",
    "API_KEYS_FILE": "API_KEYS",
    "ANTHROPIC_API_KEY_FILE": "ANTHROPIC_API_KEY",
}


class Origin(NamedTuple):
    """Where a setting was given. A secret from a file has the path of that file."""

    kind: Literal["environment", "env_file", "toml", "secret_file", "default"]
    path: Path | None = None
    line: int | None = None

    def __str__(self) -> str:
        if self.path is None:
            return "the environment" if self.kind == "environment" else self.kind
        return f"{self.path}, line {self.line}" if self.line else str(self.path)


class Given(NamedTuple):
    """The text of a setting, and where it was given."""

    text: str
    origin: Origin

    def error(self, name: str, reason: ValueError) -> ConfigurationError:
        """The error about this text of the setting `name`."""
        if self.origin.kind == "toml":
            return ConfigurationError(f"cannot use {name.lower()!r} in {self.origin}: {reason}")
        if self.origin.kind == "secret_file":
            return ConfigurationError(f"cannot use {name} in {self.origin}: {reason}")
        return ConfigurationError(f"cannot use {name}: {reason}")


def env_file_path(environ: Mapping[str, str]) -> Path:
    """What a server reads: the file that CLAUDECODE2API_ENV_FILE names, else `.env` here."""
    return Path(environ.get(ENV_FILE) or ".env")


class Sources:
    """What each source has. The environment wins over `.env`, and that over the TOML file."""

    def __init__(
        self,
        environ: Mapping[str, str],
        env_file: Path | None,
        toml_file: Path | None,
        kinds: Mapping[str, Kind],
    ) -> None:
        """Read the files; `kinds` has the type of every setting. Raises ConfigurationError."""
        self._environ = environ
        self._env_file = env_file
        self._toml_file = toml_file or (env_file and env_file.with_name(TOML_NAME))
        self._in_file = read_env_file(env_file) if env_file else {}
        self._in_toml: dict[str, Entry] = {}
        _refuse_foreign({name: text for name, text in self._in_file.items() if name not in kinds})
        for name in self._in_file:
            _refuse_near_miss(name, kinds)
        if self._toml_file:
            self._in_toml = read_toml_file(self._toml_file, kinds)
        #: The variables of `.env` that are not settings.
        self.others = {name: text for name, text in self._in_file.items() if name not in kinds}
        self._secrets = {}
        for name, held in SECRET_FILES.items():
            if found := self._read_secret(name, held, held in kinds):
                self._secrets[held] = found
        if key := self._secrets.get("ANTHROPIC_API_KEY"):
            self.others["ANTHROPIC_API_KEY"] = key.text

    def find(self, name: str) -> Given | None:
        """What is given for a setting, or for the secret of a file; None if nothing is."""
        return self._secrets.get(name) or self._find_text(name)

    def _find_text(self, name: str) -> Given | None:
        if name in self._environ:
            return Given(self._environ[name], Origin("environment"))
        if name in self._in_file:
            return Given(self._in_file[name], Origin("env_file", self._env_file))
        if entry := self._in_toml.get(name):
            return Given(entry.text, Origin("toml", self._toml_file, entry.line))
        return None

    def _read_secret(self, name: str, held: str, may_be_empty: bool) -> Given | None:
        """The value of `held` in the file that the setting `name` names; None if it names none.

        With `may_be_empty`, a value that is empty elsewhere counts as not set.
        """
        given = self._find_text(name)
        if given is None or not given.text.strip():
            return None
        direct = self._find_text(held)
        # Compose sets a variable that its host does not have to nothing.
        if direct and (direct.text.strip() or not may_be_empty):
            raise ConfigurationError(
                f"cannot use {name} of {given.origin}: {held} is set, too, by {direct.origin};"
                " remove one of them"
            )
        path = given.text.strip()
        try:
            text = read_secret(path)
            if held == "API_KEYS":
                text = ",".join(text.splitlines())
            elif "\n" in text:
                raise ValueError(f"{path!r} has more than one line")
        except ValueError as error:
            raise given.error(name, error) from None
        return Given(text, Origin("secret_file", Path(path)))


def _refuse_foreign(names: Mapping[str, str]) -> None:
    """A setting of another gateway would have no effect, and be passed on to every job."""
    hints = hints_for(names)
    if hints:
        listed = ", ".join(f"{name} ({hint})" for name, hint in hints.items())
        raise ConfigurationError(f"cannot use in .env what another gateway reads: {listed}")


def _refuse_near_miss(name: str, kinds: Mapping[str, Kind]) -> None:
    """A mistyped setting would have no effect, and be passed on to every job."""
    if name in kinds:
        return
    close = difflib.get_close_matches(name.upper(), kinds, n=1, cutoff=0.9)
    if close:
        raise ConfigurationError(f"cannot use {name} in .env; did you mean {close[0]}?")
