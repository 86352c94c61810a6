"""Records: JSON objects in files of STATE_DIR, one in each file.

A record that is missing or damaged is None for its readers; the log names a damaged file once.
Standard library alone, because the launcher and the supervisors import this.
"""

import functools
import json
import os
import types
import typing
from collections.abc import Hashable, Mapping
from typing import Any, NamedTuple, TypeVar

from app.json_depth import DEEPEST_RECORD, is_deep
from app.state.disk import is_out_of_room
from app.state.files import LARGEST, read_file, replace_file, replace_in_place

Record = TypeVar("Record", bound=NamedTuple)


def write_record(path: str, record: Mapping[str, Any], spare: str | None = None) -> None:
    """Write or replace a record atomically; on a full disk, in the space of the file `spare`.

    Raises OSError.
    """
    content = json.dumps(record).encode()
    try:
        replace_file(path, content)
    except OSError as error:
        if spare is None or not is_out_of_room(error):
            raise
        try:
            replace_in_place(path, content, spare)
        except FileNotFoundError:
            # An earlier end took it, or a job has removed it.
            raise error from None


def read_record(path: str, limit: int = LARGEST) -> dict[str, Any] | None:
    """The fields of a record of at most `limit` bytes, or None if it is missing or damaged."""
    try:
        fields = json.loads(read_file(path, limit))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        _warn(path, error.strerror or type(error).__name__)
        return None
    except (ValueError, RecursionError):
        # After a power cut, a new file may be empty or full of zeros.
        _warn(path, "not JSON")
        return None
    if not isinstance(fields, dict) or not fields or is_deep(fields, DEEPEST_RECORD):
        _warn(path, "not a JSON object, empty, or nested too deeply")
        return None
    return fields


def read_as(kind: type[Record], path: str, limit: int = LARGEST) -> Record | None:
    """A record of this kind, of at most `limit` bytes, or None if it is missing or damaged.

    Every field has the type that `kind` declares; unknown fields are left out.
    """
    fields = read_record(path, limit)
    record = None if fields is None else _as_kind(kind, fields)
    if fields is not None and record is None:
        _warn(path, f"not a record of the kind {kind.__name__}")
    return record


def take_as(kind: type[Record], path: str) -> Record | None:
    """Read a record as `read_as` does, and remove it: of several callers, one gets it."""
    record = read_as(kind, path)
    try:
        if record is not None:
            os.unlink(path)
    except OSError:
        # Another caller was faster, or a job has changed the folder's mode.
        return None
    return record


def _as_kind(kind: Any, fields: Any) -> Any:
    """A named tuple of these fields, or None if one is missing or has another type.

    >>> class Point(NamedTuple):
    ...     x: int
    ...     name: str | None = None
    >>> _as_kind(Point, {"x": 1, "more": 2}), _as_kind(Point, {"x": "1"}), _as_kind(Point, {})
    (Point(x=1, name=None), None, None)
    """
    if isinstance(fields, list):
        fields = dict(zip(kind._fields, fields, strict=False))
    if not isinstance(fields, dict):
        return None
    values = {}
    for name, wanted in types_of(kind).items():
        if name in fields:
            fits, values[name] = _fit(fields[name], wanted)
            if not fits:
                return None
        elif name not in kind._field_defaults:
            return None
    return kind(**values)


@functools.cache
def types_of(kind: Hashable) -> dict[str, Any]:
    """The type of each field of a kind of record; computed once."""
    types_ = typing.get_type_hints(kind)
    for each in types_.values():
        _parts(each)
    return types_


@functools.cache
def _parts(wanted: Hashable) -> tuple[Any, tuple[Any, ...]]:
    """The origin and the arguments of a type; computed once."""
    arguments = typing.get_args(wanted)
    for each in arguments:
        _parts(each)
    return typing.get_origin(wanted), arguments


def _fit(value: Any, wanted: Any) -> tuple[bool, Any]:
    """Whether a JSON value has this type, and the value as that type."""
    origin, arguments = _parts(wanted)
    if wanted is Any:
        return True, value
    if origin in (types.UnionType, typing.Union):
        fitting = (found for each in arguments if (found := _fit(value, each))[0])
        return next(fitting, (False, None))
    if origin is typing.Literal:
        return value in arguments, value
    if origin is list:
        return isinstance(value, list) and all(_fit(each, arguments[0])[0] for each in value), value
    if origin is dict:
        inside = isinstance(value, dict) and all(_fit(v, arguments[1])[0] for v in value.values())
        return inside, value
    if isinstance(wanted, type) and issubclass(wanted, tuple) and hasattr(wanted, "_fields"):
        inner = _as_kind(wanted, value)
        return inner is not None, inner
    if wanted is float:
        return isinstance(value, int | float) and not isinstance(value, bool), value
    if wanted is int:
        return isinstance(value, int) and not isinstance(value, bool), value
    return isinstance(value, wanted), value


@functools.lru_cache(maxsize=1000)
def _warn(path: str, why: str) -> None:
    """Log once that a record is damaged."""
    # What this module imports costs each supervisor memory, and few ever need it.
    import logging

    log = logging.getLogger(__name__)
    log.warning("cannot read %s: %s; it counts as missing", path, why)
