"""The id of a job, which names its folder. The run that is prepared for it has the same.

Standard library alone, because the supervisor imports this; without `uuid`, whose imports cost each
supervisor memory.
"""

import os
import re

_ID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def is_job_id(text: str) -> bool:
    """Whether this is a UUID in lower case with hyphens; any other text could name a path."""
    return _ID.fullmatch(text) is not None


def new_uuid() -> str:
    """A new random UUID (RFC 9562, version 4).

    >>> is_job_id(new_uuid()), new_uuid()[14], new_uuid()[19] in "89ab"
    (True, '4', True)
    """
    number = bytearray(os.urandom(16))
    number[6] = number[6] & 0x0F | 0x40
    number[8] = number[8] & 0x3F | 0x80
    text = number.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
