"""Run an ONNX file in a runtime, in a process of its own: `python adapters.py ADAPTER MODEL INPUTS OUTPUTS`.

This file runs in the runtime's environment, so it imports only NumPy at first. INPUTS and OUTPUTS are npz files. Each
function takes the path of the file and an example of the inputs, and returns a function from inputs, by name, to
the first output. Runtimes that compile for fixed shapes are opened again for each number of images.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

Arrays = dict[str, np.ndarray]
Run = Callable[[Arrays], np.ndarray]
FIXED = {"iree", "mnn", "opencv", "tinygrad", "tvm"}
"""Adapters that are opened for the shape of the example."""


def onnxruntime(path: str, example: Arrays) -> Run:
    """Open in ONNX Runtime."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda inputs: session.run(None, inputs)[0]


def reference(path: str, example: Arrays) -> Run:
    """Open in ONNX's reference evaluator."""
    import onnx
    from onnx import version_converter
    from onnx.reference import ReferenceEvaluator

    model = onnx.load(path)
    if any(node.op_type == "DequantizeLinear" for node in model.graph.node):  # which it has from opset 19 on
        model = version_converter.convert_version(model, 21)
    evaluator = ReferenceEvaluator(model)
    return lambda inputs: evaluator.run(None, inputs)[0]


def openvino(path: str, example: Arrays) -> Run:
    """Open in OpenVINO, which computes in float32."""
    return _openvino(path, {"INFERENCE_PRECISION_HINT": "f32"})


def openvino_default(path: str, example: Arrays) -> Run:
    """Open in OpenVINO, which chooses the precision."""
    return _openvino(path, {})


def _openvino(path: str, options: dict[str, str]) -> Run:
    import openvino

    core = openvino.Core()
    compiled = core.compile_model(core.read_model(path), "CPU", options)
    return lambda inputs: compiled(inputs)[0]


def opencv(path: str, example: Arrays) -> Run:
    """Open in OpenCV."""
    import cv2

    net = cv2.dnn.readNetFromONNX(path)

    def run(inputs: Arrays) -> np.ndarray:
        for name, value in inputs.items():
            net.setInput(value, name)
        return net.forward()

    return run


def tract(path: str, example: Arrays) -> Run:
    """Open in tract."""
    import tract

    runnable = tract.onnx().load(path).into_model().into_runnable()
    return lambda inputs: runnable.run(list(inputs.values()))[0].to_numpy()


def iree(path: str, example: Arrays) -> Run:
    """Compile with IREE."""
    from iree import runtime
    from iree.compiler import compile_file
    from iree.compiler.tools import import_onnx  # noqa: F401 - fails early without the extra

    with tempfile.TemporaryDirectory() as folder:
        mlir = Path(folder) / "model.mlir"
        subprocess.run(
            ["python", "-m", "iree.compiler.tools.import_onnx", path, "--opset-version", "17", "-o", str(mlir)],
            check=True,
            capture_output=True,
            text=True,
        )
        binary = compile_file(str(mlir), target_backends=["llvm-cpu"], input_type="onnx")
    module = runtime.load_vm_flatbuffer(binary, driver="local-sync")
    function = module[next(name for name in module.vm_module.function_names if "$" not in name)]  # not the async one
    return lambda inputs: np.asarray(function(*inputs.values()))


def ncnn(path: str, example: Arrays) -> Run:
    """Convert with pnnx, and open in ncnn."""
    import ncnn
    import pnnx

    # It has no dimension for the batch, so each image is a run.
    shapes = "inputshape=" + ",".join(f"[{','.join(map(str, (1, *value.shape[1:])))}]f32" for value in example.values())
    folder = tempfile.mkdtemp()
    copy = Path(folder) / "model.onnx"
    copy.write_bytes(Path(path).read_bytes())
    command = [pnnx.EXEC_PATH, str(copy), shapes, "fp16=0"]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    lines = (done.stdout + done.stderr).splitlines()
    if ignored := {line.split()[1] for line in lines if line.startswith("ignore ")}:
        raise RuntimeError(f"pnnx cannot convert {', '.join(sorted(ignored))} to ncnn")
    net = ncnn.Net()
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    net.load_param(f"{folder}/model.ncnn.param")
    net.load_model(f"{folder}/model.ncnn.bin")

    def run(inputs: Arrays) -> np.ndarray:
        found = []
        for row in range(len(next(iter(inputs.values())))):
            extractor = net.create_extractor()
            for i, value in enumerate(inputs.values()):
                extractor.input(f"in{i}", ncnn.Mat(np.ascontiguousarray(value[row])).clone())
            found.append(np.array(extractor.extract("out0")[1]))
        return np.stack(found)

    return run


def mnn(path: str, example: Arrays) -> Run:
    """Convert, and open in MNN."""
    import MNN
    from MNN.tools import mnnconvert

    target = Path(tempfile.mkdtemp()) / "model.mnn"
    mnnconvert.Tools.mnnconvert(
        ["", "-f", "ONNX", "--modelFile", path, "--MNNModel", str(target), "--bizCode", "x", "--keepInputFormat", "1"]
    )
    interpreter = MNN.Interpreter(str(target))
    session = interpreter.createSession()

    def run(inputs: Arrays) -> np.ndarray:
        for name, value in inputs.items():
            interpreter.resizeTensor(interpreter.getSessionInput(session, name), value.shape)
        interpreter.resizeSession(session)
        for name, value in inputs.items():
            tensor = interpreter.getSessionInput(session, name)
            tensor.copyFrom(MNN.Tensor(value.shape, MNN.Halide_Type_Float, value, MNN.Tensor_DimensionType_Caffe))
        interpreter.runSession(session)
        found = interpreter.getSessionOutput(session)
        empty = np.zeros(found.getShape(), np.float32)
        host = MNN.Tensor(found.getShape(), MNN.Halide_Type_Float, empty, MNN.Tensor_DimensionType_Caffe)
        found.copyToHostTensor(host)
        return np.array(host.getNumpyData()).reshape(found.getShape())

    return run


def tvm(path: str, example: Arrays) -> Run:
    """Compile with TVM."""
    import onnx
    import tvm
    from tvm import relax
    from tvm.relax.frontend.onnx import from_onnx

    shapes = {name: list(value.shape) for name, value in example.items()}
    module = relax.transform.DecomposeOpsForInference()(from_onnx(onnx.load(path), shape_dict=shapes))
    machine = relax.VirtualMachine(tvm.compile(module, target="llvm"), tvm.cpu())

    def run(inputs: Arrays) -> np.ndarray:
        found = machine["main"](*(tvm.runtime.tensor(value) for value in inputs.values()))
        return (found if hasattr(found, "numpy") else found[0]).numpy()

    return run


def tinygrad(path: str, example: Arrays) -> Run:
    """Open in tinygrad."""
    os.environ["DEV"] = os.environ["CPU"] = "CPU"
    from tinygrad import Tensor
    from tinygrad.nn.onnx import OnnxRunner

    runner = OnnxRunner(path)
    return lambda inputs: next(iter(runner({name: Tensor(value) for name, value in inputs.items()}).values())).numpy()


def onnx2torch(path: str, example: Arrays) -> Run:
    """Convert to a module of PyTorch."""
    import torch

    # PyPI's torchvision, which onnx2torch imports, does not find these operators beside PyTorch's build for the CPU.
    for name in ("nms", "qnms"):
        torch.library.define(f"torchvision::{name}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    from onnx2torch import convert

    module = convert(path).eval()
    return lambda inputs: module(*map(torch.from_numpy, inputs.values())).detach().numpy()


def jax(path: str, example: Arrays) -> Run:
    """Convert to a function of JAX."""
    import onnx
    from jaxonnxruntime import backend

    prepared = backend.Backend.prepare(onnx.load(path))
    return lambda inputs: np.asarray(prepared.run(inputs)[0])


def run(adapter: str, model: str, inputs: str, outputs: str) -> None:
    """Run each batch of `inputs`, whose arrays are called NUMBER.NAME; the output of a batch is called NUMBER."""
    batches: dict[str, Arrays] = {}
    with np.load(inputs) as given:
        for key in given.files:
            number, _, name = key.partition(".")
            batches.setdefault(number, {})[name] = given[key]
    opened: dict[object, Run] = {}
    found = {}
    for number, batch in batches.items():
        shape = len(next(iter(batch.values()))) if adapter in FIXED else None
        if shape not in opened:
            opened[shape] = globals()[adapter](model, batch)
        found[number] = opened[shape](batch)
    np.savez(outputs, **found)


if __name__ == "__main__":
    run(*sys.argv[1:])
