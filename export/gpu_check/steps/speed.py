"""Step "speed": seconds per batch of mnistgen, ONNX Runtime and PyTorch, with the same weights, taking turns."""

from collections.abc import Callable
from functools import cache

import torch
from torch import nn

import mnistgen
from export import weights
from export.gpu_check import ort
from export.gpu_check.context import ARTIFACTS, Context, first_line
from export.gpu_check.timing import Call, count_flops, measure_peak, take_turns, with_tf32
from export.graphs.models import GRAPHS
from mnistgen.inference import engine
from mnistgen.latents import latents, one_hot

CHUNKS = (64, 256, 1024, 4096)
"""Images per run of mnistgen that are tried for the largest batch."""
Prepare = Callable[[], Call]


def measure_speed(context: Context) -> None:
    """Measure each model at each batch size, and the share of the device's peak.

    Raises:
        SkippedError: There is no GPU.
    """
    context.require_device()
    peak = measure_peak(context)
    for name, value in peak.items():
        context.emit(peak=name, unit="GB/s" if name == "copy" else "GFLOP/s", value=value / 1e9)
    batches = (1, 8) if context.tiny else (1, 256, 4096)
    for model in GRAPHS:
        for batch in batches:
            _compare(context, model, batch, peak, _runtimes(context, model, batch))
        _tune_chunk(context, model, batches[-1])
    for model in GRAPHS:  # compilation may take the rest of the time
        for batch in batches:
            _compare(context, model, batch, peak, _compilers(context, model, batch))


def _compare(context: Context, model: str, batch: int, peak: dict[str, float], prepares: dict[str, Prepare]) -> None:
    calls: dict[str, Call] = {}
    for name, prepare in prepares.items():
        try:
            calls[name] = prepare()
            calls[name]()
            context.wait()
        except Exception as error:  # a runtime that fails is reported; the others go on
            calls.pop(name, None)
            context.emit(model=model, batch=batch, runtime=name, left_out=first_line(error))
    flops = _count_flops(model) * batch
    for name, seconds in take_turns(context, calls).items():
        kind = "bfloat16" if "bfloat16" in name else "tf32" if "TF32" in name else "float32"
        share = flops / seconds / peak.get(kind, peak["float32"])
        context.emit(
            model=model, batch=batch, runtime=name, ms=seconds * 1e3, images_per_s=batch / seconds, share_of_peak=share
        )


def _runtimes(context: Context, model: str, batch: int) -> dict[str, Prepare]:
    """Return functions that prepare each runtime. All but mnistgen keep inputs and outputs on the device."""
    inputs = _inputs(model, batch)
    network, tensors = _in_pytorch(context, model, inputs)

    def load() -> Call:
        generator = mnistgen.load(model, device=context.runtime_device, artifacts=ARTIFACTS)
        return lambda: generator.decode(*inputs.values())

    found = {
        "mnistgen, from and to the host": load,
        "ONNX Runtime, I/O binding": lambda: ort.bound(context.device, model, inputs),
        "PyTorch eager": lambda: with_tf32(False, _eager(network, tensors)),
        "PyTorch eager, bfloat16": lambda: _eager(network, tensors, context.device),
    }
    if context.device == "cuda":
        found["ONNX Runtime, CUDA graph"] = lambda: ort.bound(context.device, model, inputs, graph=True)
        found["ONNX Runtime, I/O binding, TF32"] = lambda: ort.bound(context.device, model, inputs, tf32=True)
        found["PyTorch eager, TF32"] = lambda: with_tf32(True, _eager(network, tensors))
    return found


def _compilers(context: Context, model: str, batch: int) -> dict[str, Prepare]:
    """Return functions that prepare the runtimes that compile the network first, and one that does not to compare."""
    inputs = _inputs(model, batch)
    network, tensors = _in_pytorch(context, model, inputs)
    how = {"mode": "reduce-overhead"} if context.device == "cuda" else {"backend": "eager"}  # quick, without a compiler
    compiled = torch.compile(network, dynamic=False, **how)
    found = {
        "ONNX Runtime, I/O binding (again)": lambda: ort.bound(context.device, model, inputs),
        "torch.compile": lambda: with_tf32(False, _eager(compiled, tensors)),
    }
    if context.device == "cuda":
        found["ONNX Runtime, TensorRT"] = lambda: ort.tensorrt(model, inputs)
    return found


def _in_pytorch(context: Context, model: str, inputs: dict) -> tuple[nn.Module, list[torch.Tensor]]:
    """Return the network as exported and its inputs, on the device."""
    network = GRAPHS[model].build(weights.read(model, ARTIFACTS / "weights" / f"{model}.safetensors"))
    tensors = [torch.from_numpy(value).to(context.torch_device) for value in inputs.values()]
    return network.to(context.torch_device), tensors


def _inputs(model: str, n: int) -> dict:
    inputs = {"z": latents(n, GRAPHS[model].inputs["z"], 0)}
    return {**inputs, "label": one_hot([i % 10 for i in range(n)])} if "label" in GRAPHS[model].inputs else inputs


def _eager(network: nn.Module, tensors: list[torch.Tensor], bfloat16_on: str = "") -> Call:
    def run() -> object:
        with torch.inference_mode(), torch.autocast(bfloat16_on or "cpu", torch.bfloat16, enabled=bool(bfloat16_on)):
            return network(*tensors)

    return run


@cache
def _count_flops(model: str) -> int:
    """Return the floating-point operations of one image in the network as exported."""
    network = GRAPHS[model].build(weights.read(model, ARTIFACTS / "weights" / f"{model}.safetensors"))
    inputs = [torch.from_numpy(value) for value in _inputs(model, 1).values()]
    return count_flops(_eager(network, inputs))


def _tune_chunk(context: Context, model: str, batch: int) -> None:
    """Time mnistgen with several chunk sizes."""
    inputs, default = _inputs(model, batch), engine.GPU_CHUNK
    generator = mnistgen.load(model, device=context.runtime_device, artifacts=ARTIFACTS)

    def with_chunk(size: int) -> Call:
        def run() -> object:
            engine.GPU_CHUNK = size
            return generator.decode(*inputs.values())

        return run

    try:
        taken = take_turns(context, {str(size): with_chunk(size) for size in CHUNKS})
    finally:
        engine.GPU_CHUNK = default
    for size, seconds in taken.items():
        context.emit(model=model, batch=batch, chunk=int(size), ms=seconds * 1e3, images_per_s=batch / seconds)
