"""The processes of one training, one per device: how they find each other, exchange numbers, and fail together.

`torchrun` or `training.launch` start them and describe each in environment variables. All processes compute the same
state; only the first, the main process, writes files and prints.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from itertools import count
from typing import NamedTuple, NoReturn

import torch
import torch.distributed as dist
from torch import Tensor

from training.errors import LostProcessError, TrainingError

TIMEOUT = 300.0
"""Seconds that a process waits for the others: more than the longest work that one of them does alone."""
VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
"""Environment variables that describe a process."""
LAUNCHED = "MNISTGEN_LAUNCHED"
"""Environment variable of processes that `training.launch` started, which reports lost processes itself."""
LOST = 75
"""Exit code of a process that lost another one."""
_trainings = count()
"""Numbers the trainings of this process, each of which uses other keys of the store."""
_FAILED = "failed"
"""Key of the number of processes that failed, in the store that all processes share."""


class Place(NamedTuple):
    """Position of this process among those of the training."""

    rank: int = 0
    """Number of the process, from 0."""
    size: int = 1
    """Number of processes."""
    local_rank: int = 0
    """Number of the process on its machine, and of its GPU."""


def place() -> Place:
    """Read the position of this process from the environment; the only process if there are no variables.

    Raises:
        TrainingError: If variables are missing or invalid.
    """
    if not any(name in os.environ for name in VARIABLES[:3]):
        return Place()
    missing = [name for name in VARIABLES if name not in os.environ]
    if missing:
        raise TrainingError(
            f"The environment variables {', '.join(missing)} are missing; expected all of {', '.join(VARIABLES)}, or "
            f"none of the first three. Start the training with torchrun, or unset them."
        )
    try:
        found = Place(*(int(os.environ[name]) for name in VARIABLES[:3]))
        valid = 0 <= found.rank < found.size and found.local_rank >= 0 and 0 < int(os.environ["MASTER_PORT"]) < 2**16
    except ValueError:
        valid = False
    if not valid:
        values = ", ".join(f"{name}={os.environ[name]!r}" for name in VARIABLES)
        raise TrainingError(
            f"The environment has {values}; expected the values that torchrun sets. Start the training with torchrun, "
            f"or unset them."
        )
    return found


@contextmanager
def joined(here: Place) -> Iterator[None]:
    """Connect to the other processes; if several fail, let only the first of them print its error.

    Raises:
        TrainingError: If the others cannot be reached.
    """
    if here.size == 1:
        yield
        return
    waiting = timedelta(seconds=TIMEOUT)
    try:
        store, _, _ = next(dist.rendezvous("env://", here.rank, here.size, timeout=waiting))
        store = dist.PrefixStore(f"training-{next(_trainings)}", store)
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() and dist.is_nccl_available() else "gloo"
        dist.init_process_group(backend, store=store, rank=here.rank, world_size=here.size, timeout=waiting)
    except (RuntimeError, ValueError, OSError) as error:  # PyTorch raises several types of exceptions
        address = f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"
        raise TrainingError(
            f"Process {here.rank} of {here.size} cannot reach the others at {address}; expected an answer within "
            f"{TIMEOUT:.0f} seconds. Check MASTER_ADDR, MASTER_PORT and the network."
        ) from error
    try:
        yield
    except TrainingError as error:
        _end(error, store)
    dist.destroy_process_group()


def _end(error: TrainingError, store: dist.Store) -> NoReturn:
    """End this process at once, as destroying the group can take long if another process has ended.

    The error is printed if no other process has failed before, and if `training.launch` does not print it.
    """
    is_reported = is_lost = isinstance(error, LostProcessError) and LAUNCHED in os.environ
    with suppress(RuntimeError):  # the process that keeps the store has ended
        is_reported = is_lost or store.add(_FAILED, 1) > 1
    if not is_reported:
        error.show()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(LOST if is_lost else error.exit_code)


def size() -> int:
    """Return the number of processes."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """Return the number of this process, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def is_main() -> bool:
    """Return whether this process writes the files and prints."""
    return rank() == 0


def gather(rows: Tensor) -> Tensor:
    """Return the rows (k, n) of every process as (size · k, n), in the order of their ranks.

    Raises:
        LostProcessError: If another process has ended or does not answer.
    """
    if size() == 1:
        return rows
    gathered = [torch.empty_like(rows) for _ in range(size())]
    try:
        dist.all_gather(gathered, rows)
    except RuntimeError as error:  # gloo does not say which process it is
        raise LostProcessError(
            f"Another process of this training has ended, or has not answered for {TIMEOUT:.0f} seconds."
        ) from error
    return torch.cat(gathered)


@contextmanager
def main_first() -> Iterator[None]:
    """Let the other processes wait until the main process has done what is in this context."""
    ready = torch.zeros(1, 1)
    if not is_main():
        gather(ready)
    yield
    if is_main():
        gather(ready)


def require_equal(digest: bytes, epoch: int) -> None:
    """Check that `digest`, of the state after `epoch`, is the same in every process.

    Raises:
        TrainingError: If it differs.
    """
    digests = gather(torch.frombuffer(bytearray(digest), dtype=torch.uint8)[None])  # (size, bytes)
    different = [index for index, row in enumerate(digests) if not torch.equal(row, digests[0])]
    if different:
        raise TrainingError(
            f"After epoch {epoch}, the weights of process {different[0]} are not those of process 0; expected equal "
            f"weights. Use the same version of PyTorch and the same kind of device for all processes."
        )
