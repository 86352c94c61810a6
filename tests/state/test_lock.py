"""Locks: how long one is waited for, and that only another gateway prevents a start."""

import os
import subprocess
import sys
import time
from pathlib import Path
from uuid import uuid4

import pytest

from app.processes import MARK
from app.state.lock import LockTimeout, locked
from app.state.process_lock import acquire


def test_waiting_for_a_lock_ends_after_its_patience(tmp_path: Path) -> None:
    with locked(tmp_path):
        started = time.monotonic()
        with pytest.raises(LockTimeout), locked(tmp_path, patience=0.1):
            pytest.fail("two hold it")
        assert time.monotonic() - started < 5
    with locked(tmp_path, patience=0.0):
        pass


def test_a_start_takes_its_lock_from_a_job_and_not_from_another_gateway(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    program = (
        "import fcntl, os, sys, time; f = open(sys.argv[1], 'w');"
        "fcntl.lockf(f, fcntl.LOCK_EX); print(flush=True); time.sleep(60)"
    )

    def holder(**environment: str) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-I", "-S", "-c", program, path]
        started = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)
        assert started.stdout is not None
        started.stdout.readline()
        return started

    for environment, is_a_job in (({}, False), ({MARK: str(uuid4())}, True)):
        with holder(**environment) as started:
            lock = acquire(str(path))
            assert (lock is not None) is is_a_job
            if lock is not None:
                os.close(lock)
            started.kill()
