"""Runtimes that can run the networks, each prepared as its documentation recommends, from the same weights.

Each entry of RUNTIMES takes a model's name, its inputs (N, ·) and a number of threads. It returns a function that
generates images (N, 1, 28, 28). The runtime's package is imported only in that call, so that packages which are not
installed can be left out.
"""

import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

import mnistgen
from export import weights
from export.build import temporary_generator
from export.graphs import convert
from export.graphs.models import GRAPHS, INT8
from export.graphs.quantize import CALIBRATION_IMAGES
from export.weights import Weights

Inputs = Mapping[str, NDArray[np.float32]]
Images = NDArray[np.float32]
Run = Callable[[], Images]
Prepare = Callable[[str, Inputs, int], Run]

ARTIFACTS = Path("artifacts")


def _mnistgen(model: str, inputs: Inputs, threads: int) -> Run:
    generator = mnistgen.load(model, device="cpu", threads=threads, artifacts=ARTIFACTS)
    return lambda: generator.decode(*inputs.values())[:, None]


def _mnistgen_one_thread(model: str, inputs: Inputs, threads: int) -> Run:
    return _mnistgen(model, inputs, 1)


def _mnistgen_int8(model: str, inputs: Inputs, threads: int) -> Run:
    """Run int8 convolutions, even if the model does not ship in this form."""
    with temporary_generator(f"{model}{INT8}", _weights(model), threads) as generator:
        for _ in range(2):
            generator.generate()  # the second call opens the last session; the folder is temporary
    return lambda: generator.decode(*inputs.values())[:, None]


def _onnxruntime(model: str, inputs: Inputs, threads: int) -> Run:
    import onnxruntime

    session = onnxruntime.InferenceSession(naive_onnx(model), providers=["CPUExecutionProvider"])
    return lambda: session.run(["image"], dict(inputs))[0]


def _torch_eager(model: str, inputs: Inputs, threads: int) -> Run:
    return _torch(naive(model), inputs)


def _torch_compiled(model: str, inputs: Inputs, threads: int) -> Run:
    return _torch(torch.compile(naive(model)), inputs)


def _torch(module: nn.Module, inputs: Inputs) -> Run:
    tensors = [torch.from_numpy(value) for value in inputs.values()]

    def run() -> Images:
        with torch.inference_mode():
            return module(*tensors).numpy()

    return run


def _openvino_float32(model: str, inputs: Inputs, threads: int) -> Run:
    return _openvino(_openvino_network(model), inputs, "f32")


def _openvino_bfloat16(model: str, inputs: Inputs, threads: int) -> Run:
    return _openvino(_openvino_network(model), inputs, "bf16")


def _openvino_int8(model: str, inputs: Inputs, threads: int) -> Run:
    """Quantize with NNCF, from the same images as mnistgen's int8 models."""
    import nncf

    examples = convert.example_inputs(GRAPHS[model], CALIBRATION_IMAGES, seed=1)
    rows = [{name: values[i : i + 1] for name, values in examples.items()} for i in range(CALIBRATION_IMAGES)]
    network = nncf.quantize(_openvino_network(model), nncf.Dataset(rows), subset_size=CALIBRATION_IMAGES)
    return _openvino(network, inputs, "f32")


def _openvino_network(model: str) -> Any:
    import openvino

    return openvino.Core().read_model(naive_onnx(model))


def _openvino(network: Any, inputs: Inputs, precision: str) -> Run:
    import openvino

    network.reshape({name: list(value.shape) for name, value in inputs.items()})
    hints = {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"}
    request = openvino.Core().compile_model(network, "CPU", hints).create_infer_request()
    return lambda: request.infer(dict(inputs))["image"]


def _litert(model: str, inputs: Inputs, threads: int) -> Run:
    import litert_torch
    from ai_edge_litert.interpreter import Interpreter

    tensors = tuple(torch.from_numpy(value) for value in inputs.values())
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "model.tflite")
        litert_torch.convert(naive(model), tensors).export(path)
        interpreter = Interpreter(path, num_threads=threads)
    runner = interpreter.get_signature_runner()
    arguments = dict(zip(sorted(runner.get_input_details()), inputs.values(), strict=True))

    def run() -> Images:
        (images,) = runner(**arguments).values()
        return images

    return run


def _ncnn(model: str, inputs: Inputs, threads: int) -> Run:
    """Run ncnn in float32 like the others; it takes one image at a time."""
    import ncnn
    import pnnx

    network = ncnn.Net()
    network.opt.num_threads = threads
    network.opt.use_fp16_packed = network.opt.use_fp16_storage = network.opt.use_fp16_arithmetic = False
    network.opt.use_bf16_storage = False
    examples = tuple(torch.from_numpy(value[:1].copy()) for value in inputs.values())
    before = Path.cwd()
    module = naive(model)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # pnnx writes into the current directory
        try:
            pnnx.export(module, "model.pt", examples, fp16=False)
            network.load_param("model.ncnn.param")
            network.load_model("model.ncnn.bin")
        finally:
            os.chdir(before)

    def run() -> Images:
        images = []
        for row in zip(*inputs.values(), strict=True):
            with network.create_extractor() as extractor:
                for number, value in enumerate(row):
                    extractor.input(f"in{number}", ncnn.Mat(value))
                images.append(np.array(extractor.extract("out0")[1]))
        return np.reshape(images, (-1, 1, 28, 28))

    return run


RUNTIMES: dict[str, Prepare] = {
    "mnistgen": _mnistgen,
    "mnistgen, one thread": _mnistgen_one_thread,
    "mnistgen, int8 convolutions": _mnistgen_int8,
    "ONNX Runtime, naive export": _onnxruntime,
    "PyTorch eager": _torch_eager,
    "torch.compile": _torch_compiled,
    "OpenVINO float32": _openvino_float32,
    "OpenVINO bfloat16": _openvino_bfloat16,
    "OpenVINO int8 (NNCF)": _openvino_int8,
    "LiteRT (XNNPACK)": _litert,
    "ncnn": _ncnn,
}


def naive(model: str) -> nn.Module:
    """Return the network as trained, without rewrites."""
    return GRAPHS[model].build(_weights(model))


def _weights(model: str) -> Weights:
    return weights.read(model, ARTIFACTS / "weights" / f"{model}.safetensors")


def naive_onnx(model: str) -> bytes:
    """Return the network as PyTorch exports it, without rewrites."""
    return convert.convert(GRAPHS[model], naive(model), {"model": model})
