"""Jobs that damage STATE_DIR, and what must hold beside them."""

import time
from collections.abc import Callable
from uuid import uuid4

from app import processes
from app.jobs.store import Spool
from app.processes import Process
from app.records.job import Job
from app.records.job_records import JobRequest
from app.records.run import RunStart
from app.timestamps import now
from tests.support.gateway import Gateway

Start = Callable[..., Gateway]
#: What can be put in the place of a file.
PLACED = {
    "nothing": "rm -rf {0}",
    "a pipe": "rm -rf {0}; mkfifo {0}",
    "a folder": "rm -rf {0}; mkdir -p {0}/inside",
    "a link": "rm -rf {0}; ln -s /etc/hostname {0}",
    "a link to nothing": "rm -rf {0}; ln -s /nowhere/at/all {0}",
    "an empty file": "rm -rf {0}; : > {0}",
    "zeros": "rm -rf {0}; head -c 100 /dev/zero > {0}",
    "other JSON": 'rm -rf {0}; echo \'{{"rows":5,"status":7,"job":[],"supervisor":"x"}}\' > {0}',
    "a huge hole": "rm -rf {0}; truncate -s 300G {0}",
    "no rights": "chmod 000 {0}",
}


def serves(gateway: Gateway) -> None:
    """What all share answers as ever, and another job runs."""
    assert gateway.chat("line one", "result ok").done()["status"] == "succeeded"
    for path in ("/health", "/ready", "/processes", "/jobs", "/stats", "/usage", "/metrics"):
        begun = time.monotonic()
        answer = gateway.ask("GET", path)
        assert answer.status_code == 200, (path, answer.text)
        # A pipe or a lock would hold it up for ever.
        assert time.monotonic() - begun < 15, path


def create_job(spool: Spool, starter: Process | None = None) -> Job:
    job = Job(spool.state, str(uuid4()))
    starter = starter or processes.this_process()
    request = JobRequest(job.id, "/", None, None, now(), "admin", starter)
    job.create(request, RunStart("/", [], 1.0), b"", {})
    return job
