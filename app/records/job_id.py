"""The id of a job, which names its folder. The run that is prepared for it has the same.

Standard library alone, because the supervisor imports this.
"""

import re

_ID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def is_job_id(text: str) -> bool:
    """Whether this is a UUID in lower case with hyphens; any other text could name a path."""
    return _ID.fullmatch(text) is not None
