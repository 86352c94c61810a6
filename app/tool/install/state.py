"""What an update finds in STATE_DIR: `python -m app.tool.install.state STATE_DIR`.

Prints how many jobs have not ended, and whether the new code keeps the folder in another layout
than the running gateway (yes or no).
"""

import os
import sys

from app.state.version import LAYOUT, layout_of


def main() -> None:
    """Print what is in the folder, as far as this user may look."""
    (state,) = sys.argv[1:]
    try:
        jobs = len(os.listdir(f"{state}/live"))  # noqa: PTH208 - names only
        # A gateway of version 1.0 writes no number, even while it has no jobs.
        has_number = os.path.lexists(f"{state}/version")
        changes = not has_number or layout_of(state) != LAYOUT
    except OSError:
        jobs, changes = 0, False
    sys.stdout.write(f"{jobs}\n{'yes' if changes else 'no'}\n")


if __name__ == "__main__":
    main()
