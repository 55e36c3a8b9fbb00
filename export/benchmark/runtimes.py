"""Ways to run the networks, for `export.benchmark`: each prepared as its own documentation says, from the same weights.

A way takes a model's name, its inputs (N, ·) and a count of threads, and returns a function that draws the images
(N, 1, 28, 28). What it needs is imported only then, so that what is not installed can be left out.
"""

import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

import mnistgen
from export import weights
from export.artifacts import exported
from export.graphs import convert
from export.graphs.models import GRAPHS, INT8
from export.weights import Weights

Inputs = Mapping[str, NDArray[np.float32]]
Images = NDArray[np.float32]
Draw = Callable[[], Images]
Way = Callable[[str, Inputs, int], Draw]

ARTIFACTS = Path("artifacts")


def _ours(model: str, inputs: Inputs, threads: int) -> Draw:
    generator = mnistgen.load(model, device="cpu", threads=threads, artifacts=ARTIFACTS)
    return lambda: generator.decode(*inputs.values())[:, None]


def _ours_on_one_thread(model: str, inputs: Inputs, threads: int) -> Draw:
    return _ours(model, inputs, 1)


def _ours_in_int8(model: str, inputs: Inputs, threads: int) -> Draw:
    """Convolutions in eight bits, whether that ships or not."""
    with exported(f"{model}{INT8}", _weights(model), threads) as generator:
        for _ in range(2):
            generator.generate()  # opens all that reads the folder
    return lambda: generator.decode(*inputs.values())[:, None]


def _onnxruntime(model: str, inputs: Inputs, threads: int) -> Draw:
    import onnxruntime

    session = onnxruntime.InferenceSession(naive_onnx(model), providers=["CPUExecutionProvider"])
    return lambda: session.run(["image"], dict(inputs))[0]


def _torch_eager(model: str, inputs: Inputs, threads: int) -> Draw:
    return _torch(naive(model), inputs)


def _torch_compiled(model: str, inputs: Inputs, threads: int) -> Draw:
    return _torch(torch.compile(naive(model)), inputs)


def _torch(module: nn.Module, inputs: Inputs) -> Draw:
    tensors = [torch.from_numpy(value) for value in inputs.values()]

    def draw() -> Images:
        with torch.inference_mode():
            return module(*tensors).numpy()

    return draw


def _openvino_float32(model: str, inputs: Inputs, threads: int) -> Draw:
    return _openvino(model, inputs, "f32")


def _openvino_bfloat16(model: str, inputs: Inputs, threads: int) -> Draw:
    return _openvino(model, inputs, "bf16")


def _openvino(model: str, inputs: Inputs, precision: str) -> Draw:
    import openvino

    core = openvino.Core()
    network = core.read_model(naive_onnx(model))
    network.reshape({name: list(value.shape) for name, value in inputs.items()})
    hints = {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"}
    request = core.compile_model(network, "CPU", hints).create_infer_request()
    return lambda: request.infer(dict(inputs))["image"]


def _litert(model: str, inputs: Inputs, threads: int) -> Draw:
    import litert_torch
    from ai_edge_litert.interpreter import Interpreter

    tensors = tuple(torch.from_numpy(value) for value in inputs.values())
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "model.tflite")
        litert_torch.convert(naive(model), tensors).export(path)
        interpreter = Interpreter(path, num_threads=threads)
    runner = interpreter.get_signature_runner()
    feed = dict(zip(sorted(runner.get_input_details()), inputs.values(), strict=True))

    def draw() -> Images:
        (images,) = runner(**feed).values()
        return images

    return draw


def _ncnn(model: str, inputs: Inputs, threads: int) -> Draw:
    """ncnn takes one image at a time; in float32, like the others."""
    import ncnn
    import pnnx

    network = ncnn.Net()
    network.opt.num_threads = threads
    network.opt.use_fp16_packed = network.opt.use_fp16_storage = network.opt.use_fp16_arithmetic = False
    network.opt.use_bf16_storage = False
    examples = tuple(torch.from_numpy(value[:1].copy()) for value in inputs.values())
    here = Path.cwd()
    module = naive(model)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # where pnnx leaves its files
        try:
            pnnx.export(module, "model.pt", examples, fp16=False)
            network.load_param("model.ncnn.param")
            network.load_model("model.ncnn.bin")
        finally:
            os.chdir(here)

    def draw() -> Images:
        images = []
        for row in zip(*inputs.values(), strict=True):
            with network.create_extractor() as extractor:
                for number, value in enumerate(row):
                    extractor.input(f"in{number}", ncnn.Mat(value))
                images.append(np.array(extractor.extract("out0")[1]))
        return np.reshape(images, (-1, 1, 28, 28))

    return draw


OURS: dict[str, Way] = {
    "mnistgen": _ours,
    "mnistgen, one thread": _ours_on_one_thread,
    "mnistgen, int8 convolutions": _ours_in_int8,
    "ONNX Runtime, naive export": _onnxruntime,
}
PEERS: dict[str, Way] = {
    **OURS,
    "PyTorch eager": _torch_eager,
    "torch.compile": _torch_compiled,
    "OpenVINO float32": _openvino_float32,
    "OpenVINO bfloat16": _openvino_bfloat16,
    "LiteRT (XNNPACK)": _litert,
    "ncnn": _ncnn,
}


def naive(model: str) -> nn.Module:
    """Return the network as trained, without rewrites."""
    return GRAPHS[model].build(_weights(model))


def _weights(model: str) -> Weights:
    return weights.read(model, ARTIFACTS / "weights" / f"{model}.safetensors")


def naive_onnx(model: str) -> bytes:
    return convert.convert(GRAPHS[model], naive(model), {"model": model})
