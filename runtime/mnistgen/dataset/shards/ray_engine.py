"""Make shards on a Ray cluster, or with Ray on this computer alone.

Each shard is a plain task. Ray Data is not used: its checkpoints hold all row numbers in memory, and its file names are
random. Tasks return their processors when they end, so no worker waits for one that another holds for ever.
"""

import contextlib
import logging
import os
import re
import socket
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

from mnistgen.dataset.shards.events import Event, Losses, made
from mnistgen.dataset.shards.job import answer
from mnistgen.errors import DeviceError, MissingPackageError, install_command
from mnistgen.inference.cpu import usable_cores

_SECONDS_TO_ANSWER = 10


def run_on_ray(
    job: str, shards: Sequence[int], workers: int | None, address: str | None, on_gpu: bool
) -> Iterator[Event]:
    """Make the shards as tasks of Ray, each on one processor and one thread.

    Args:
        job: The job.
        shards: Numbers of the shards.
        workers: Maximum number of tasks at a time; by default, as many as the cluster has processors.
        address: Address of a cluster; by default that in RAY_ADDRESS, or else a Ray is started on this computer.
        on_gpu: Whether each task needs a GPU.

    Raises:
        MissingPackageError: Ray is not installed.
        DeviceError: The cluster cannot be reached, a task fails, or the workers of one shard keep dying.
        MnistgenError: A shard cannot be made.
    """
    ray = _import_ray()
    with _connected(ray, workers, address):
        kind = "GPU" if on_gpu else "CPU"
        limit = workers or max(1, int(ray.cluster_resources().get(kind, 1)))
        # This module counts the deaths of workers itself, in the same way as for local processes.
        task = ray.remote(num_cpus=1, num_gpus=int(on_gpu), max_retries=0, scheduling_strategy="SPREAD")(answer)
        yield from _run(ray, task, job, deque(shards), limit)


def _run(ray: Any, task: Any, job: str, todo: deque[int], limit: int) -> Iterator[Event]:
    """Keep up to `limit` tasks running."""
    running: dict[Any, int] = {}
    losses = Losses()
    try:
        while todo or running:
            while todo and len(running) < limit:
                k = todo.popleft()
                running[task.remote(job, k)] = k
            for result in ray.wait(list(running), num_returns=1)[0]:
                event = _event(ray, result, running.pop(result), losses)
                if event.record is None:
                    todo.appendleft(event.k)
                yield event
    finally:
        for result in running:
            with contextlib.suppress(Exception):  # the cluster may be gone
                ray.cancel(result)
        if running:
            ray.wait(list(running), num_returns=len(running), timeout=5)  # they delete their drafts


def _event(ray: Any, result: Any, k: int, losses: Losses) -> Event:
    """Return what became of the task of shard `k`."""
    try:
        return made(k, ray.get(result))
    except ray.exceptions.RayTaskError as error:
        raise DeviceError(
            f"Shard {k} failed on a worker ({error.cause or error})",
            code="worker-failed",
            remedy="Check that mnistgen and the same packages are installed on all computers",
        ) from error
    except ray.exceptions.RayError as error:  # the process, its computer or its memory is gone
        return losses.add(k, str(error).strip().partition("\n")[0])


def _import_ray() -> Any:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # before the import: Ray reports its use to its makers
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # what Ray 2.60 asks for in a warning
    try:
        import ray
        import ray.exceptions
    except ImportError as error:
        raise MissingPackageError(
            f"The engine ray needs Ray, which cannot be imported ({error})",
            code="package-missing",
            remedy=f"Run {install_command('ray')}",
        ) from error
    return ray


def _check_answers(address: str) -> None:
    """Raise OSError if nothing answers at host:port; Ray itself would try for minutes."""
    match = re.fullmatch(r"(?:ray://)?([^/:]+):(\d{1,5})", address)
    if match:
        socket.create_connection((match[1], int(match[2])), timeout=_SECONDS_TO_ANSWER).close()


@contextlib.contextmanager
def _connected(ray: Any, workers: int | None, address: str | None) -> Iterator[None]:
    """Connect to a cluster, or start one here; use the connection of the calling program if it has one."""
    if ray.is_initialized():
        yield
        return
    address = address or os.environ.get("RAY_ADDRESS") or "local"
    options: dict[str, Any] = {"address": address, "logging_level": logging.ERROR, "log_to_driver": False}
    if address == "local":
        options |= {"num_cpus": workers or usable_cores(), "include_dashboard": False}
    try:
        _check_answers(address)
        ray.init(**options)
    except (RuntimeError, ValueError, OverflowError, OSError, ImportError) as error:
        raise DeviceError(
            f"Ray's cluster at {address} cannot be used ({error})",
            code="cluster-unreachable",
            remedy="Check the address and that all computers have the same version of Ray",
        ) from error
    try:
        yield
    finally:
        ray.shutdown()
