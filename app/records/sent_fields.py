"""The fields that a client sent with a job's prompt, `fields` in the job's folder.

The worker that accepted the job writes them, without what may be secret
(`app.cli.shown_fields`), and only if the job's other records do not have them.
"""

from collections.abc import Mapping
from typing import Any

from app.state import record_file

_FILE = "fields"


def write(job: str, fields: Mapping[str, Any], left_out: list[str]) -> None:
    """Write the fields of the job in this folder, and the names of those left out.

    Raises OSError.
    """
    record_file.write_record(f"{job}/{_FILE}", {"fields": fields, "left_out": left_out})


def read(job: str) -> tuple[dict[str, Any], list[str]] | None:
    """The fields, and the names of those left out; None if they were not written, or are damaged.

    A job can write anything there.
    """
    record = record_file.read_record(f"{job}/{_FILE}") or {}
    fields, left_out = record.get("fields"), record.get("left_out")
    if not isinstance(fields, dict) or not isinstance(left_out, list):
        return None
    return fields, [each for each in left_out if isinstance(each, str)]
