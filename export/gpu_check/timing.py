"""Time functions that take turns in one process, and measure the peak of the device."""

import statistics
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext

import torch
from torch.utils.flop_counter import FlopCounterMode

from export.gpu_check.context import Context

Call = Callable[[], object]
ROUNDS = 5
WARM_UP = 2
"""Calls before each turn that are not timed."""


def take_turns(context: Context, calls: Mapping[str, Call], rounds: int = ROUNDS) -> dict[str, float]:
    """Return the median seconds of each call, waiting for the device after each, as a user of the result would.

    The calls take turns, so that changes of the clock rate affect all of them. With tiny sizes, each is timed once.
    """
    rounds, warm_up = (1, 0) if context.tiny else (rounds, WARM_UP)
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            for _ in range(warm_up):
                call()
            context.wait()
            end = time.perf_counter() + context.turn / rounds
            while True:
                start = time.perf_counter()
                call()
                context.wait()
                seconds[name].append(time.perf_counter() - start)
                if time.perf_counter() > end:
                    break
    return {name: statistics.median(taken) for name, taken in seconds.items()}


def measure_peak(context: Context) -> dict[str, float]:
    """Return FLOP/s of large matrix products by type, "float32", "tf32" and "bfloat16", and bytes/s of a copy."""
    size = 128 if context.tiny else 8192
    calls, operations = {}, {}
    for name, dtype, tf32 in (
        ("float32", torch.float32, False),
        ("tf32", torch.float32, True),
        ("bfloat16", torch.bfloat16, False),
    ):
        if tf32 and context.device != "cuda":
            continue
        a, b = (torch.rand(size, size, device=context.torch_device).to(dtype) for _ in range(2))
        calls[name] = with_tf32(tf32, lambda a=a, b=b: a @ b)
        operations[name] = 2 * size**3
    source = torch.empty(size * size * 4, device=context.torch_device)
    target = torch.empty_like(source)
    calls["copy"] = lambda: target.copy_(source)
    operations["copy"] = 2 * source.nbytes  # read and written
    return {name: operations[name] / seconds for name, seconds in take_turns(context, calls).items()}


def with_tf32(allowed: bool, call: Call) -> Call:
    """Return a function that sets whether products may use TF32, for matrices and convolutions, and calls `call`."""

    def run() -> object:
        torch.backends.cuda.matmul.allow_tf32 = allowed
        torch.backends.cudnn.allow_tf32 = allowed
        return call()

    return run


def count_flops(call: Call) -> int:
    """Call `call` and return its floating-point operations, as PyTorch counts them."""
    counter = FlopCounterMode(display=False)
    # The hooks by which it assigns operations to modules forbid torch.autograd.grad, which gradient penalties use.
    everything = nullcontext()
    everything.parents = {"Global"}
    counter.mod_tracker = everything
    with counter:
        call()
    return counter.get_total_flops()
