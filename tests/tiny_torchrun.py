"""Tiny trainings in one or two processes, of which the second can fail. Also a program for `torchrun`.

Usage: tiny_torchrun.py OUT MODEL:RECIPE[,MODEL:RECIPE...] [OPTION...]
"""

import os
import signal
import sys
from pathlib import Path

import pytest
import tiny_training
import torch

from training import processes, trainer

OPTIONS = ("--batch-size", "8", "--limit", "15", "--seed", "3")
"""Two steps per epoch, of 8 and 6 images."""
FAILURE = "TINY_FAILURE"
"""Environment variable "RANK STEP HOW": this process fails in its step of this number, from 1, by the signal HOW.

If HOW is "wrong", the step changes a weight, as a gradient that was not shared would.
"""


def train(out: Path, cases: str, *options: str) -> None:
    """Train each model and recipe into a folder of `out`; exit at the first failure."""
    torch.set_num_threads(1)
    tiny_training.shrink(pytest.MonkeyPatch())
    processes.TIMEOUT = float(os.environ.get("TINY_TIMEOUT", processes.TIMEOUT))
    rank, step, how = os.environ.get(FAILURE, "none 0 none").split()
    if rank == os.environ.get("RANK"):
        _fail_in(int(step), how)
    for case in cases.split(","):
        model, recipe = case.split(":")
        epochs = "1" if recipe == "seed" else "2"  # tuned recipes change after the first
        arguments = [*OPTIONS, "--recipe", recipe, "--epochs", epochs, "--out", str(out / case), *options]
        tiny_training.MODULES[model].main(arguments, prog_name=model, standalone_mode=False)


def train_in_processes(
    count: int, out: Path, cases: str, *options: str, **environment: str
) -> tuple[list[int], list[str]]:
    """Train in new processes; return their exit codes and what they wrote to stderr. Those that hang are killed."""
    store = torch.distributed.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    environment |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(store.port), "WORLD_SIZE": str(count)}
    environment |= {"TORCHELASTIC_USE_AGENT_STORE": "True"}
    logs = [out.parent / f"{out.name}-{rank}.txt" for rank in range(count)]
    children = [
        tiny_training.start_process(
            _train_in_process, log, {**environment, "RANK": str(rank), "LOCAL_RANK": str(rank)}, out, cases, *options
        )
        for rank, log in enumerate(logs)
    ]
    for child in children:
        child.join(200 if child is children[0] else 10)
        child.kill()
        child.join()
    return [child.exitcode for child in children], [log.read_text() for log in logs]


def _train_in_process(log: Path, environment: dict[str, str], *arguments: str) -> None:
    """Train with this environment; write stderr to `log`."""
    os.environ.update(environment)
    with log.open("w", buffering=1) as sys.stderr:
        train(*arguments)


def _fail_in(step: int, how: str) -> None:
    """Make this process fail in its step of this number."""
    take_step, steps = trainer.take_step, []

    def failing(training: trainer.Trainer, *batch: torch.Tensor) -> dict[str, torch.Tensor]:
        steps.append(1)
        if len(steps) == step and how != "wrong":
            os.kill(os.getpid(), getattr(signal, how))
        metrics = take_step(training, *batch)
        if len(steps) == step:
            next(training.networks["decoder"].parameters()).data += 1e-6
        return metrics

    trainer.take_step = failing


if __name__ == "__main__":
    train(Path(sys.argv[1]), *sys.argv[2:])
