"""The spares: what a CLI is started with before there is a job for it."""

import logging

from app.cli.command import Command, Defaults, build
from app.cli.installed import Installed
from app.cli.request_fields import read_fields
from app.cli.spare import Argument, fixed_part, spare_arguments
from app.jobs.spec import JobSpec
from app.runs.launcher.spare_record import NONE, SpareRecord, SpareStart

log = logging.getLogger(__name__)


class Spares:
    """What spares are started with: what most jobs are, those without options of their own.

    `count` is how many there are, if the CLI can wait for a claim.
    """

    def __init__(self, state: str, claude: Installed, defaults: Defaults, count: int) -> None:
        self._record = SpareRecord(state)
        self._claude = claude
        self._defaults = defaults
        self._count = count
        # What is fixed at the start of a usual job, and for which version of the CLI.
        self._fixed: tuple[tuple[int, ...], list[Argument] | None] | None = None

    def publish(self) -> None:
        """Have the launcher keep the spares that the CLI can be now; does not wait."""
        try:
            self._record.write(self._wanted())
        except OSError as error:
            log.debug("cannot write the record of spares: %s", error)

    def fit(self, spec: JobSpec) -> bool:
        """Whether a spare can serve a job."""
        if not self._count or spec.talks or spec.session_id is not None:
            return False
        fixed = fixed_part(spec.command.arguments)
        return fixed is not None and fixed == self._usual_fixed()

    def _wanted(self) -> SpareStart:
        can = self._claude.capabilities
        if not self._count or can is None or "spares" not in can:
            return NONE
        arguments = [str(argument) for argument in spare_arguments(self._usual().arguments)]
        return SpareStart(arguments, self._count, f"{self._claude.path} {self._claude.version}")

    def _usual_fixed(self) -> list[Argument] | None:
        """What is fixed at the start of a usual job; each start asks for it."""
        number = self._claude.number
        if self._fixed is None or self._fixed[0] != number:
            self._fixed = (number, fixed_part(self._usual().arguments))
        return self._fixed[1]

    def _usual(self) -> Command:
        """The command of a job without options."""
        request = read_fields({"prompt": "-", "cwd": "/"})
        return build(request, self._defaults, None)
