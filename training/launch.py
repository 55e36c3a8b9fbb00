"""Start the processes of a training on this machine, and end all of them if one ends early (`--devices`).

`torchrun` does the same, but adds a report of its own to each error.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist

from training import processes
from training.errors import LostProcessError

_POLL, _GRACE = 0.05, 5.0
"""Seconds between two looks at the processes; seconds in which they may end by themselves."""


def train_on(count: int) -> int:
    """Run this command once more in `count` processes; return the exit code of the training.

    Raises:
        LostProcessError: If a process was killed, or does not answer to the others.
    """
    store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False, timeout=timedelta(seconds=60))
    environment = {
        "OMP_NUM_THREADS": str(max(1, torch.get_num_threads() // count)),
        **os.environ,
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(store.port),
        "WORLD_SIZE": str(count),
        "TORCHELASTIC_USE_AGENT_STORE": "True",  # PyTorch: the parent keeps the store, not the first process
        processes.LAUNCHED: "1",
    }
    command = [sys.executable, *sys.orig_argv[1:]]
    with _ended_with_this_process() as children:
        for rank in range(count):
            own = {**environment, "RANK": str(rank), "LOCAL_RANK": str(rank)}
            children.append(subprocess.Popen(command, env=own))
        codes = _wait(children)
    return _exit_code(codes)


def _wait(children: list[subprocess.Popen[bytes]]) -> list[int | None]:
    """Wait until all have ended, or some time after the first failure; return the exit codes, None for running."""
    deadline = float("inf")
    while True:
        codes = [child.poll() for child in children]
        if None not in codes or time.monotonic() > deadline:
            return codes
        if any(codes) and deadline == float("inf"):
            deadline = time.monotonic() + _GRACE
        time.sleep(_POLL)


def _exit_code(codes: list[int | None]) -> int:
    """Return 0, or the exit code of a process that printed its error.

    Raises:
        LostProcessError: If none has printed an error.
    """
    printed = [code for code in codes if code and code > 0 and code != processes.LOST]
    if printed:
        return printed[0]
    for rank, code in enumerate(codes):
        if code and code < 0:
            raise LostProcessError(f"Process {rank} of {len(codes)} was ended by {signal.Signals(-code).name}.")
    if any(codes):
        raise LostProcessError(f"A process has not answered for {processes.TIMEOUT:.0f} seconds.")
    return 0


@contextmanager
def _ended_with_this_process() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Give a list for child processes; at the end, or when SIGTERM ends this process, end those that still run."""

    def end(number: int, frame: object) -> None:
        signal.signal(number, signal.SIG_IGN)  # the children are being ended
        sys.exit(128 + number)

    children: list[subprocess.Popen[bytes]] = []
    former = signal.signal(signal.SIGTERM, end)
    try:
        yield children
    except KeyboardInterrupt:  # the terminal has sent it to the children, too, and one of them prints how to resume
        _wait(children)
        sys.exit(130)
    finally:
        _end(children)
        signal.signal(signal.SIGTERM, former)


def _end(children: list[subprocess.Popen[bytes]]) -> None:
    """End the children that still run: with SIGTERM, and some time later with SIGKILL."""
    for child in children:
        child.terminate()
    deadline = time.monotonic() + _GRACE
    while time.monotonic() < deadline and any(child.poll() is None for child in children):
        time.sleep(_POLL)
    for child in children:
        child.kill()
        child.wait()
