"""`GET /folders`: the folders that a job can run in."""

from flask import Blueprint, Response, g, jsonify, request

from app.api.described.folders import FolderList
from app.errors import DiskTooSlow, FolderNotFound
from app.jobs.folders import Folders
from app.openapi.describe import Parameter, describes

_LIST = describes(
    "List folders, to choose a working directory from.",
    {200: FolderList},
    details="Only folders below CWD_ROOTS, or in the folder of the workspaces, are listed, and no"
    " links. Without CWD_ROOTS no folder is listed, but those of your own jobs.",
    errors=[DiskTooSlow, FolderNotFound],
    parameters=[
        Parameter(
            "path",
            "query",
            {"type": "string"},
            "The full path of the folder whose folders are listed.",
        ),
        Parameter(
            "prefix",
            "query",
            {"type": "string"},
            "Only names that begin with this. Hidden folders are listed only if it begins with a"
            " dot.",
        ),
    ],
)


def blueprint(folders: Folders) -> Blueprint:
    """The view."""
    views = Blueprint("folders", __name__)

    @views.get("/folders")
    @_LIST
    def all_folders() -> Response:
        path = request.args.get("path")
        if not path:
            roots = [
                {"name": root.rpartition("/")[2] or root, "path": root} for root in folders.roots()
            ]
            recent = folders.recent(g.user)
            return jsonify(path=None, folders=roots, more=False, recent=recent)
        found = folders.names(path, request.args.get("prefix", ""))
        path = "/" + "/".join(filter(None, path.split("/")))
        rows = [{"name": name, "path": f"{path.rstrip('/')}/{name}"} for name in found.names]
        return jsonify(path=path, folders=rows, more=found.more, recent=[])

    return views
