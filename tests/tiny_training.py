"""A training on a few drawn digits, in a process of its own: the tests call it with MODEL [KILL_AT] -- OPTIONS.

KILL_AT is the number of the file operation, a sync or a rename, at which the process gets SIGKILL.
"""

import importlib
import os
import signal
import stat
import sys
from pathlib import Path

import torch

from training import data, flow


def drawn(folder: Path, split: str) -> data.Digits:
    """64 blobs of ten sizes in the place of MNIST."""
    labels = torch.arange(64) % 10
    images = torch.zeros(64, 1, 28, 28, dtype=torch.uint8)
    for image, label in zip(images, labels, strict=True):
        image[:, 4 : 10 + int(label), 6 : 8 + int(label)] = 255
    return data.Digits(images, labels)


def kill_at(operation: int) -> None:
    """See that this process ends, as by a power cut, half-way through that file operation."""
    done = 0
    fsync, replace = os.fsync, Path.replace

    def count() -> None:
        nonlocal done
        done += 1
        if done == operation:
            os.kill(os.getpid(), signal.SIGKILL)

    def counted_fsync(descriptor: int) -> None:
        status = os.fstat(descriptor)
        if done + 1 == operation and stat.S_ISREG(status.st_mode):
            os.ftruncate(descriptor, status.st_size // 2)  # half of the file has been written
        count()
        fsync(descriptor)

    def counted_replace(path: Path, target: Path) -> Path:
        count()
        return replace(path, target)

    os.fsync, Path.replace = counted_fsync, counted_replace


if __name__ == "__main__":
    split = sys.argv.index("--")
    model, *operation = sys.argv[1:split]
    data.load = drawn
    flow.STEPS = 2
    torch.set_num_threads(1)
    if operation:
        kill_at(int(operation[0]))
    importlib.import_module(f"training.{model}").main(sys.argv[split + 1 :])
