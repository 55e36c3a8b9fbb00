"""Devices to train on: how many, which one a process uses, and what it is."""

import os
import platform

import torch

from training import processes
from training.errors import TrainingError
from training.trainer import has_bfloat16


def count_devices(number: int | str | None, name: str) -> int:
    """Return the number of devices to train on, one process each.

    Args:
        number: Requested number; "auto" for all GPUs, or the CPU; None for one, or the processes that were started.
        name: auto, cpu or cuda.

    Raises:
        TrainingError: If there are fewer GPUs, or another number of processes was started.
    """
    started = processes.place()
    if started.size > 1 or number is None:
        if isinstance(number, int) and number != started.size:
            raise TrainingError(
                f"--devices is {number}; expected {started.size}, the number of processes that were started. Leave "
                f"this option out."
            )
        return started.size
    available = torch.cuda.device_count() if _uses_cuda(name) else None
    if number == "auto":
        return available or 1
    if available and number > available:
        raise TrainingError(
            f"--devices is {number}; expected at most {available}, the number of GPUs. Use --devices auto, or --device "
            f"cpu."
        )
    return int(number)


def _uses_cuda(name: str) -> bool:
    return name != "cpu" and torch.cuda.is_available()


def choose_device(name: str, local_rank: int) -> torch.device:
    """Return the device of the process with this number on its machine.

    Args:
        name: auto, cpu or cuda.
        local_rank: Number of the process, from 0; processes other than the first use other GPUs.

    Raises:
        TrainingError: If there is no such device.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise TrainingError(
            "--device is cuda; expected cpu, as PyTorch finds no CUDA device. Train with --device cpu, or install "
            "PyTorch's CUDA build."
        )
    if not _uses_cuda(name):
        return torch.device("cpu")
    if local_rank >= torch.cuda.device_count():
        raise TrainingError(
            f"The number of processes on this machine is more than {local_rank}; expected at most "
            f"{torch.cuda.device_count()}, the number of its GPUs. Start fewer, or train with --device cpu."
        )
    torch.cuda.set_device(local_rank)
    # So that a seed gives the same weights at every run:
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False
    return torch.device("cuda", local_rank)


def describe(device: torch.device) -> str:
    """Return a description of the hardware, the precision, PyTorch's version and the number of processes."""
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
    else:
        processor = torch.cpu.get_capabilities().get("cpu_name") or platform.machine()
        name = f"{processor}, threads: {torch.get_num_threads()}"
    precision = "bfloat16 autocast" if has_bfloat16(device) else "float32"
    several = f", {processes.size()} processes" if processes.size() > 1 else ""
    return f"{device.type} ({name}, {precision}, PyTorch {torch.__version__}{several})"
