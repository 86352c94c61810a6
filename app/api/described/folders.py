"""The JSON of `/folders`, as models for the OpenAPI document."""

from pydantic import Field

from app.openapi.response_model import ResponseModel


class Folder(ResponseModel):
    """A folder."""

    name: str = Field(description="Its name.")
    path: str = Field(description="Its full path, for `cwd`.")


class FolderList(ResponseModel):
    """Folders that a job can run in."""

    path: str | None = Field(description="The folder that they are in; null for the roots.")
    folders: list[Folder] = Field(
        description="The folders by name, at most 200. Without `path`: those of CWD_ROOTS, and the"
        " folder of the workspaces; none without CWD_ROOTS."
    )
    more: bool = Field(description="Whether there are more folders; ask with a longer `prefix`.")
    recent: list[str] = Field(
        description="Without `path`: the folders of your own jobs that still exist, the latest"
        " first, at most 20."
    )
