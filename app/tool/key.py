"""`claudecode2api key`: add, list and remove API keys in `.env`."""

import argparse
import secrets
import sys

from app.auth.api_keys import NAME, PREFIX, ApiKey, entries, hashed, read_keys
from app.auth.users_file import load_users
from app.errors import ConfigurationError
from app.setting_sources import Given, Origin
from app.tool.checkout import Checkout
from app.tool.client import own_url
from app.tool.env_file import change_setting, how_to_reload
from app.tool.failure import MISUSED, UNCONFIGURED, Failure
from app.tool.remedies import Remedies
from app.tool.screen import note

#: Random bytes of a key.
STRENGTH = 24
_NO_WRITE = "claudecode2api key add NAME --no-write"


def key(checkout: Checkout, arguments: argparse.Namespace) -> int:
    """Make a key, list the keys, or remove one."""
    return {"add": _add, "list": _list, "remove": _remove}[arguments.action](checkout, arguments)


def _add(checkout: Checkout, arguments: argparse.Namespace) -> int:
    name: str = arguments.name
    if not NAME.fullmatch(name):
        raise Failure(
            f"cannot use {name!r} as a name: it must begin with a lower-case letter, and have at"
            " most 32 lower-case letters, digits, _ and -",
            MISUSED,
        )
    if arguments.no_write:
        value = checkout.environ.get("API_KEYS") or _api_keys(checkout).text
    else:
        value = _api_keys_in_env(checkout, f"; {_NO_WRITE} prints the entry for it")
    if not (arguments.print or arguments.no_write or sys.stdout.isatty()):
        raise Failure(
            "cannot show the key: standard output is not a terminal; --print prints it anyway",
            MISUSED,
        )
    if name in [each.name for each in _parse(value)]:
        raise Failure(
            f"cannot add a key called {name}: there is one; claudecode2api key remove {name} first"
        )
    new = PREFIX + secrets.token_hex(STRENGTH)
    entry = hashed(name, new)
    value = ",".join([*entries(value), entry])
    _refuse_namesakes(checkout, value)
    if arguments.no_write:
        return _print_entry(checkout, name, new, entry)
    path = change_setting(checkout, "API_KEYS", value)
    note(f"{path} has the hash of this key of {name} in API_KEYS; it is not shown again:")
    sys.stdout.write(f"{new}\n")
    sys.stdout.flush()
    note(f"OpenAI clients take it as their API key, with the base URL {_base_url(checkout)}")
    _note_reload(checkout)
    return 0


def _print_entry(checkout: Checkout, name: str, key: str, entry: str) -> int:
    """Print the entry alone on standard output, so that it can go into a file."""
    note(f"the key of {name}, which is not shown again: {key}")
    sys.stdout.write(f"{entry}\n")
    sys.stdout.flush()
    note(
        "the entry, with the key's hash, is a line for the file that API_KEYS_FILE names, or is"
        f" added to API_KEYS after a comma; then: {Remedies(checkout).reload}"
    )
    return 0


def _list(checkout: Checkout, arguments: argparse.Namespace) -> int:
    given = _api_keys(checkout)
    value, file = given.text, given.origin.path or checkout.env_file
    names = _names(checkout, value)
    for each in _parse(value):
        kind = "hash" if each.is_hashed else f"key in {file.name}"
        sys.stdout.write(f"{names[each.number]}\t{kind}\n")
    if not names:
        note("there are no keys; claudecode2api key add NAME makes one")
    return 0


def _remove(checkout: Checkout, arguments: argparse.Namespace) -> int:
    value = _api_keys_in_env(checkout, "")
    names = _names(checkout, value)
    all_entries = entries(value)
    # In 1.0, a key could be listed twice.
    removed = {all_entries[number - 1] for number, name in names.items() if name == arguments.name}
    if not removed:
        known = f"; the keys are {', '.join(names.values())}" if names else ""
        raise Failure(f"cannot remove a key called {arguments.name}: there is none{known}")
    left = [entry for entry in all_entries if entry not in removed]
    path = change_setting(checkout, "API_KEYS", ",".join(left))
    note(f"the key of {arguments.name} is removed from {path}; a new key of that name has its jobs")
    _note_reload(checkout)
    return 0


def _api_keys_in_env(checkout: Checkout, help_: str) -> str:
    """API_KEYS in `.env`, which must not be in another file; `help_` ends the error."""
    given = _api_keys(checkout)
    is_elsewhere = given.origin.kind != "env_file"
    if checkout.is_image:
        place = given.origin if is_elsewhere else "the file that API_KEYS_FILE names"
        raise Failure(
            f"cannot change API_KEYS: a container has no .env; change {place}{help_}; then:"
            f" {Remedies(checkout).reload}",
            UNCONFIGURED,
        )
    if is_elsewhere:
        raise Failure(
            f"cannot change API_KEYS: it is in {given.origin}; change it there, or move it to"
            f" {checkout.env_file}{help_}",
            UNCONFIGURED,
        )
    return given.text


def _api_keys(checkout: Checkout) -> Given:
    """API_KEYS in the files."""
    try:
        given = checkout.in_files("API_KEYS")
    except ConfigurationError as error:
        if isinstance(error.__context__, PermissionError):
            raise Failure(
                f"cannot read {checkout.env_file}: {checkout.access_help()}", UNCONFIGURED
            ) from None
        raise Failure(str(error), UNCONFIGURED) from None
    return given or Given("", Origin("env_file", checkout.env_file))


def _parse(value: str) -> tuple[ApiKey, ...]:
    try:
        return read_keys(value)
    except ValueError as error:
        raise Failure(f"cannot use API_KEYS: {error}", UNCONFIGURED) from None


def _names(checkout: Checkout, value: str) -> dict[int, str]:
    """The user name of each entry; for one without a name, the name that the gateway shows."""
    keys = _parse(value)
    try:
        settings = checkout.settings()
        users = load_users(str(settings.state_dir), settings.auth_user, keys, shares=False)
    except (Failure, ConfigurationError):
        # Only the names of keys without a name are not exact then.
        return {each.number: each.name or f"key-{each.number}" for each in keys}
    return {each.number: user.name for each, (_, user) in zip(keys, users.keys, strict=True)}


def _refuse_namesakes(checkout: Checkout, value: str) -> None:
    """Refuse keys with which the gateway would not start."""
    keys = _parse(value)
    in_files = checkout.in_files("AUTH_USER")
    operator = checkout.environ.get("AUTH_USER", in_files.text if in_files else "admin")
    for each in keys:
        if each.name == operator:
            raise Failure(f"cannot add a key called {operator}: that is AUTH_USER")
    try:
        settings = checkout.settings()
    except Failure:
        # There may be no password yet.
        return
    try:
        load_users(str(settings.state_dir), settings.auth_user, keys, shares=False)
    except ConfigurationError as error:
        raise Failure(str(error)) from None


def _base_url(checkout: Checkout) -> str:
    try:
        return f"{own_url(checkout.settings())}/v1"
    except Failure:
        return "http://HOST:PORT/v1"


def _note_reload(checkout: Checkout) -> None:
    if "API_KEYS" in checkout.environ:
        note("API_KEYS is also set in the environment of this shell, where it wins over .env")
    note(how_to_reload(checkout))
