"""The stories of a client: functions that fail where the gateway is not what the client expects.

A client's program calls `tell` with its globals.
"""

import json
import os
import sys
import traceback
from collections.abc import Mapping
from typing import Any


def tell(names: Mapping[str, Any], *left_out: str) -> None:
    """Run the stories that the command line names, or all but those that are left out.

    Prints one JSON object: each story's name and what went wrong in it, or null.
    """
    stories = {
        name: story
        for name, story in names.items()
        if name.count("_") > 1 and getattr(story, "__module__", "") == "__main__"
    }
    errors: dict[str, str | None] = {}
    for name in sys.argv[1:] or [name for name in stories if name not in left_out]:
        try:
            stories[name]()
        except Exception:
            errors[name] = traceback.format_exc()
        else:
            errors[name] = None
    sys.stdout.write(json.dumps(errors) + os.linesep)
