"""Folders that requests name instead of a path; each is made when it is first used."""

import re
from pathlib import Path

from app.errors import BadDirectory
from app.state.files import make_folder

#: The workspace of requests that name none.
SHARED = "shared"

_NAME = re.compile(r"\w[\w.-]{0,99}")


class Workspaces:
    """All workspaces: the folders in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, name: str) -> str:
        """The full path of a workspace. Raises BadDirectory for what cannot be one."""
        if not _NAME.fullmatch(name):
            raise BadDirectory(
                f"Not the name of a workspace (letters, digits, dots, dashes, underscores): "
                f"{name[:100]!r}"
            )
        path = self.folder / name
        try:
            self.folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            for each in (self.folder, path):
                # A job may have put something else there, or taken its rights away. A link of
                # the operator's to a folder stays.
                if not (each.is_symlink() and each.is_dir()):
                    make_folder(str(each))
            if path.resolve() != self.folder.resolve() / name:
                raise BadDirectory(f"This workspace leads to another place: {name!r}")
        except OSError as error:
            raise BadDirectory(f"The workspace {name!r} cannot be made: {error.strerror}") from None
        return str(path)
