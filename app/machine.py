"""The capacity of the machine, or of the container that the gateway runs in."""

import os
from pathlib import Path

#: Bytes of memory for one run of the CLI with its tools (2.1.330: 190 to 320 MB without).
JOB_MEMORY = 400_000_000
#: Bytes of memory from which on a spare is worth its 120 MB.
ENOUGH_FOR_SPARE = 4_000_000_000
#: Runs of the CLI per core: most of the time each waits for the model.
JOBS_PER_CORE = 4

_CGROUPS = Path("/sys/fs/cgroup")


def job_capacity() -> int:
    """How many jobs can run at the same time; at least 1."""
    cores = len(os.sched_getaffinity(0))
    return max(1, min(memory() // JOB_MEMORY, cores * JOBS_PER_CORE))


def memory(cgroups: Path = _CGROUPS, membership: Path = Path("/proc/self/cgroup")) -> int:
    """Bytes of usable memory: the machine's, or the limit of a cgroup (v2) of this process."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for line in _read(membership).splitlines():
        hierarchy, _, path = line.partition("::/")
        if hierarchy == "0":
            group = cgroups / path
            for folder in (group, *group.parents):
                limit = _read(folder / "memory.max").strip()
                if limit.isdigit():
                    limits.append(int(limit))
    return min(limits)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except OSError:
        return ""
