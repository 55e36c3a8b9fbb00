"""One model's way from PyTorch to the bytes of an ONNX file, and the check that both agree."""

import contextlib
import io
import logging
import warnings
from collections.abc import Mapping

import numpy as np
import onnx
import torch
from torch import nn

from export.errors import ExportError
from export.graphs.models import Graph
from mnistgen.inference.session import Inputs, open_session, run_session
from mnistgen.latents import latents, one_hot

OPSET = 18
IR_VERSION = 8
"""The oldest that opset 18 goes with, so that old runtimes open the file, too."""
BATCHES = (1, 2, 7, 64)
"""Batch sizes that PyTorch and ONNX Runtime are compared on."""
TOLERANCE = 1e-5
"""Largest difference of a pixel in [0, 1] between the two."""


def convert(graph: Graph, module: nn.Module, metadata: Mapping[str, str]) -> bytes:
    """`module` as the bytes of a self-contained ONNX file that carries `metadata`; the same input gives the same bytes.

    Raises ExportError where ONNX's own checker refuses the result.
    """
    return traced(module, {name: (width,) for name, width in graph.inputs.items()}, "image", metadata)


def traced(module: nn.Module, inputs: Mapping[str, tuple[int, ...]], output: str, metadata: Mapping[str, str]) -> bytes:
    """The same of any module, whose `inputs` have these shapes by name, the batch N before each."""
    names = list(inputs)
    example = tuple(torch.zeros(2, *shape) for shape in inputs.values())  # a batch of 1 would freeze N to 1
    batch = torch.export.Dim("N", min=1)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")  # the exporter's own deprecations, which say nothing of the model
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        program = torch.onnx.export(
            module,
            example,
            dynamo=True,
            opset_version=OPSET,
            input_names=names,
            output_names=[output],
            dynamic_shapes=tuple({0: batch} for _ in names),
            external_data=False,
            verbose=False,
        )
    return finished(program.model_proto, metadata)


def finished(model: onnx.ModelProto, metadata: Mapping[str, str]) -> bytes:
    """The bytes of `model` without the exporter's notes, which hold local paths, and with ours.

    Raises ExportError where ONNX's own checker refuses it.
    """
    model.ir_version = IR_VERSION
    model.producer_name, model.producer_version = "mnistgen", ""
    model.doc_string = ""
    for part in (model, model.graph, *model.graph.node, *model.graph.input, *model.graph.output):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    model.graph.ClearField("value_info")
    for initializer in model.graph.initializer:
        initializer.ClearField("metadata_props")
    model.graph.name = metadata["model"]
    for key, value in metadata.items():
        model.metadata_props.add(key=key, value=value)
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ExportError(f"ONNX's checker refuses the {metadata['model']}: {error}") from error
    return model.SerializeToString(deterministic=True)


def example_inputs(graph: Graph, n: int, seed: int = 0) -> Inputs:
    """Latents (n, latent) and, where the model takes them, labels (n, 10), the digits in turn."""
    inputs = {"z": latents(n, graph.inputs["z"], seed)}
    if "label" in graph.inputs:
        inputs["label"] = one_hot(np.arange(n) % 10)
    return inputs


def largest_difference(graph: Graph, module: nn.Module, model: bytes, tolerance: float = TOLERANCE) -> float:
    """Largest difference of a pixel between PyTorch and ONNX Runtime; raises ExportError over `tolerance`."""
    session = open_session(model, "cpu")
    largest = 0.0
    for n in BATCHES:
        inputs = example_inputs(graph, n, seed=n)
        with torch.inference_mode():
            expected = module(*map(torch.from_numpy, inputs.values())).numpy()  # (n, 1, 28, 28)
        image = run_session(session, inputs)
        if image.shape != expected.shape:
            raise ExportError(f"ONNX Runtime gives the shape {image.shape} where PyTorch gives {expected.shape}.")
        largest = np.maximum(largest, np.abs(image - expected).max())  # NaN, if there is one
    largest = float(largest)
    if not largest <= tolerance:
        raise ExportError(
            f"ONNX Runtime and PyTorch are {largest:.1e} apart, more than {tolerance:.0e}: nothing written."
        )
    return largest
