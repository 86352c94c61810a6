"""The comparison of a job with a run that is kept: may it serve the job?

A run serves a job only if all that is fixed at the start of a process is the same: the command
line but for model and permission mode, the folder, the contents of the files that are handed over,
and the files that the command line names. Standard library alone, because the supervisor imports
this.
"""

from app.records.run import Run, RunStart
from app.state import files

# What a run can take over for one job, or what names the session that it has already.
_CHANGEABLE = ("--model=", "--resume=", "--session-id=")
# How a run's session has begun.
_BEGINNING = ("--fork-session", "--resume-session-at=")


def fits(run: Run, run_start: RunStart, prepared: Run, wanted: RunStart) -> bool:
    """Whether a run that was started so is as good as the one that was prepared for a job."""
    for name in ("cwd", "roots", "stamps", "variables", "client_tools"):
        if getattr(run_start, name) != getattr(wanted, name):
            return False
    found = _fixed(run, run_start, _CHANGEABLE + _BEGINNING)
    return found is not None and found == _fixed(prepared, wanted, _CHANGEABLE)


def model_of(start: RunStart) -> str | None:
    """The model on a command line, if it names one."""
    for argument in start.arguments:
        if isinstance(argument, str) and argument.startswith("--model="):
            return argument.removeprefix("--model=")
    return None


def _fixed(run: Run, start: RunStart, left_out: tuple[str, ...]) -> list[tuple[str, bytes]] | None:
    """The arguments that a running process cannot change, with what their files contain."""
    fixed = []
    read = {"": run.client_tools} if start.client_tools else {}
    for argument in start.arguments:
        if not isinstance(argument, str):
            read[argument["flag"]] = f"{run.path}/{argument['file']}"
        elif not argument.startswith(left_out):
            fixed.append((argument, b""))
    try:
        return fixed + [(name, files.read_file(path, 1 << 30)) for name, path in read.items()]
    except OSError:
        return None
