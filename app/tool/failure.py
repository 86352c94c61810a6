"""What ends the command with one plain line and an exit status."""

#: A job failed, or what was asked for could not be done.
FAILED = 1
#: The command line cannot be understood; argparse's own status for that.
MISUSED = 2
#: Nothing answers where the gateway should be (EX_UNAVAILABLE of sysexits.h).
UNAVAILABLE = 69
#: The settings cannot be used (EX_CONFIG); the gateway's own status for that.
UNCONFIGURED = 78
#: A job ran into a limit of time; as of timeout(1).
TIMED_OUT = 124
#: A job was cancelled, or Ctrl-C ended the command; as of a shell.
CANCELLED = 130


class Failure(Exception):
    """The command cannot go on; the message is for the user, and says what would help."""

    def __init__(self, message: str, status: int = FAILED) -> None:
        super().__init__(message)
        self.status = status


class Refused(Failure):
    """The gateway refused a request: its HTTP status, and its code for programs."""

    def __init__(self, message: str, http_status: int, code: str) -> None:
        super().__init__(message)
        self.http_status = http_status
        self.code = code


class Unreachable(Failure):
    """The gateway could not be asked, or its answer broke off."""

    def __init__(self, message: str) -> None:
        super().__init__(message, UNAVAILABLE)
