"""The CPU that this process may use."""

import math
import os
import platform
from pathlib import Path


def usable_cores() -> int:
    """Return the number of cores of the process's affinity, or fewer if a cgroup quota allows less; at least 1."""
    try:
        allowed = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows have no such call
        allowed = os.cpu_count() or 1
    return max(1, math.ceil(min(allowed, _cgroup_cores(Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")))))


def _cgroup_cores(root: Path, membership: Path) -> float:
    """Return the CPU quota of the process's control groups in cores; infinite without a quota.

    In version 2, the quota of a group also limits its subgroups. In version 1, the group that a container shows at
    `root` is read. Source: the Linux kernel's documentation of cgroup v2 (`cpu.max`) and v1 (`cpu.cfs_quota_us`).

    Args:
        root: Mount point of the control groups.
        membership: File that names the process's group below `root`.
    """
    try:
        own = root / membership.read_text().rpartition("0::/")[2].strip()
    except OSError:
        return math.inf
    groups = [own, *own.parents]
    quotas = [_quota(group / "cpu.max") for group in groups[: groups.index(root) + 1]]
    return min(*quotas, _quota(root / "cpu" / "cpu.cfs_quota_us", root / "cpu" / "cpu.cfs_period_us"))


def _quota(*files: Path) -> float:
    """Return the quota divided by the period that the files hold, in cores; infinite if there is none."""
    try:
        quota, period = " ".join(file.read_text() for file in files).split()
    except (OSError, ValueError):
        return math.inf
    return int(quota) / int(period) if quota.isdigit() else math.inf


def processor() -> str:
    """Return the processor's name, if the system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())
