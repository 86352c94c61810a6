"""How many jobs a machine has room for."""

import os
from pathlib import Path

from app.machine import JOBS_PER_CORE, job_capacity, memory


def test_the_capacity_is_bounded_by_the_cores_and_never_nothing() -> None:
    assert 1 <= job_capacity() <= JOBS_PER_CORE * len(os.sched_getaffinity(0))


def test_the_least_limit_of_the_cgroups_above_us_counts(tmp_path: Path) -> None:
    membership = tmp_path / "cgroup"
    membership.write_text("1:name=x:/other\n0::/outer/inner\n", encoding="ascii")
    inner = tmp_path / "outer/inner"
    inner.mkdir(parents=True)
    machine = memory(tmp_path, membership)
    (inner / "memory.max").write_text("max\n", encoding="ascii")
    assert memory(tmp_path, membership) == machine
    (inner.parent / "memory.max").write_text("5000000\n", encoding="ascii")
    assert memory(tmp_path, membership) == 5_000_000
    (inner / "memory.max").write_text("4000000\n", encoding="ascii")
    assert memory(tmp_path, membership) == 4_000_000


def test_without_cgroups_the_machines_memory_counts(tmp_path: Path) -> None:
    expected = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert memory(tmp_path, tmp_path / "nothing") == expected
