"""The workspaces: folders that requests name instead of a path."""

import re
from pathlib import Path

from app.errors import BadDirectory
from app.state.files import make_folder

#: The workspace of requests without a folder.
SHARED = "shared"

_NAME = re.compile(r"\w[\w.-]{0,99}")


class Workspaces:
    """All workspaces: the subfolders of one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, name: str) -> str:
        """The full path of a workspace, which is created if it is missing. Raises BadDirectory."""
        if not _NAME.fullmatch(name):
            raise BadDirectory(
                f"Not a valid workspace name (letters, digits, dots, dashes, underscores):"
                f" {name[:100]!r}"
            )
        path = self.folder / name
        try:
            self.folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            for each in (self.folder, path):
                # A job may have put something else there, or changed its mode. A symbolic link to
                # a folder stays: it is the operator's.
                if not (each.is_symlink() and each.is_dir()):
                    make_folder(str(each))
            if path.resolve() != self.folder.resolve() / name:
                raise BadDirectory(f"The workspace {name!r} is a link to another folder")
        except OSError as error:
            raise BadDirectory(f"Cannot create the workspace {name!r}: {error.strerror}") from None
        return str(path)
