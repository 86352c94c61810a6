"""The views for the operator alone: `/doctor`, `/settings` and `/log`."""

import os

from flask import Blueprint

from app.api import doctor, log, settings
from app.api.doctor_process import DoctorProcess
from app.server.native_thread import NativeThreads
from app.startup import Startup


def blueprints(startup: Startup, threads: NativeThreads) -> list[Blueprint]:
    """All of them, for a gateway that was started like this."""
    checks = DoctorProcess(os.environ)
    return [doctor.blueprint(checks), settings.blueprint(startup), log.blueprint(startup, threads)]
