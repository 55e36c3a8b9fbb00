"""ONNX Runtime with inputs and outputs that stay on the device."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.gpu_check.context import ARTIFACTS, SkippedError
from export.gpu_check.timing import Call
from mnistgen.inference.session import CPU, CUDA, CUDA_OPTIONS

TENSORRT = "TensorrtExecutionProvider"
Inputs = Mapping[str, NDArray[np.float32]]


def bound(device: str, model: str, inputs: Inputs, graph: bool = False, tf32: bool = False) -> Call:
    """Return a function that runs `model` with I/O binding.

    Args:
        device: "cuda" or "cpu".
        model: Name of a model in ARTIFACTS.
        inputs: Inputs on the host, which are copied to the device once.
        graph: Whether to capture a CUDA graph in the first run and to replay it afterwards.
        tf32: Whether products may use TF32.
    """
    if device == "cpu":
        return _bind([CPU], "cpu", model, inputs)
    options = {**CUDA_OPTIONS, "use_tf32": str(int(tf32)), "enable_cuda_graph": str(int(graph))}
    return _bind([(CUDA, options), CPU], device, model, inputs)


def tensorrt(model: str, inputs: Inputs) -> Call:
    """Return a function that runs `model` with TensorRT in float32.

    Raises:
        SkippedError: TensorRT is not there.
    """
    import onnxruntime

    if TENSORRT not in onnxruntime.get_available_providers():
        raise SkippedError("this ONNX Runtime is built without TensorRT")
    return _bind([TENSORRT, (CUDA, CUDA_OPTIONS), CPU], "cuda", model, inputs)


def _bind(providers: list[Any], device: str, model: str, inputs: Inputs) -> Call:
    import onnxruntime  # imported by mnistgen before, without telemetry

    if device == "cuda" and hasattr(onnxruntime, "preload_dlls"):
        onnxruntime.preload_dlls()
    session = onnxruntime.InferenceSession(str(ARTIFACTS / f"{model}.onnx"), providers=providers)
    wanted = providers[0] if isinstance(providers[0], str) else providers[0][0]
    if session.get_providers()[0] != wanted:
        raise SkippedError(f"{wanted} does not start here")
    binding = session.io_binding()
    values = {name: onnxruntime.OrtValue.ortvalue_from_numpy(value, device, 0) for name, value in inputs.items()}
    for name, value in values.items():
        binding.bind_ortvalue_input(name, value)
    shape = [len(next(iter(inputs.values()))), 1, 28, 28]
    image = onnxruntime.OrtValue.ortvalue_from_shape_and_type(shape, np.float32, device, 0)
    binding.bind_ortvalue_output("image", image)

    def run() -> object:
        session.run_with_iobinding(binding)
        return image, values  # a CUDA graph writes to the same memory at each replay

    return run
