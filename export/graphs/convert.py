"""Convert a PyTorch module to an ONNX file, and compare the two."""

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
from export.graphs.clean import clean
from export.graphs.models import Graph
from mnistgen.inference.session import Inputs, open_session, run_session
from mnistgen.latents import latents, one_hot

EXPORTER_OPSET = 18
"""The opset that PyTorch's exporter writes; `clean` lowers it."""
BATCHES = (1, 2, 7, 64)
"""Batch sizes for which PyTorch and ONNX Runtime are compared."""
TOLERANCE = 5e-5
"""Largest accepted difference of a pixel in [0, 1], an eightieth of a gray level. Rounding alone can reach 1e-5."""


def convert(graph: Graph, module: nn.Module, metadata: Mapping[str, str]) -> bytes:
    """Convert a model to a self-contained ONNX file; equal arguments give equal bytes.

    Args:
        graph: Names and widths of the inputs.
        module: The graph's module, in evaluation mode.
        metadata: Facts to store in the file.

    Raises:
        ExportError: ONNX's checker rejects the result.
    """
    return convert_module(module, {name: (width,) for name, width in graph.inputs.items()}, "image", metadata)


def convert_module(
    module: nn.Module, inputs: Mapping[str, tuple[int, ...]], output: str, metadata: Mapping[str, str]
) -> bytes:
    """Convert any module as `convert` does.

    Args:
        module: The module, in evaluation mode.
        inputs: Shape of each input by name, without the batch dimension N.
        output: Name of the output.
        metadata: Facts to store in the file.
    """
    names = list(inputs)
    example = tuple(torch.zeros(2, *shape) for shape in inputs.values())  # a batch of 1 would fix N to 1
    batch = torch.export.Dim("N", min=1)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")  # deprecations inside the exporter
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        program = torch.onnx.export(
            module,
            example,
            dynamo=True,
            opset_version=EXPORTER_OPSET,
            input_names=names,
            output_names=[output],
            dynamic_shapes=tuple({0: batch} for _ in names),
            external_data=False,
            verbose=False,
        )
    return finished(program.model_proto, metadata)


def finished(model: onnx.ModelProto, metadata: Mapping[str, str]) -> bytes:
    """Replace the exporter's annotations, which hold local paths, by `metadata`; check and serialize the model.

    Raises:
        ExportError: ONNX's checker rejects the model.
    """
    model.producer_name, model.producer_version = "mnistgen", ""
    model.doc_string = ""
    for part in (model, model.graph, *model.graph.node, *model.graph.input, *model.graph.output):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    model.graph.ClearField("value_info")
    for initializer in model.graph.initializer:
        initializer.ClearField("metadata_props")
    clean(model)
    model.graph.name = metadata["model"]
    for key, value in metadata.items():
        model.metadata_props.add(key=key, value=value)
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ExportError(f"ONNX's checker rejects the {metadata['model']}: {error}") from error
    return model.SerializeToString(deterministic=True)


def example_inputs(graph: Graph, n: int, seed: int = 0) -> Inputs:
    """Return latents (n, latent) and, for conditional models, labels (n, 10) that cycle through the digits."""
    inputs = {"z": latents(n, graph.inputs["z"], seed)}
    if "label" in graph.inputs:
        inputs["label"] = one_hot(np.arange(n) % 10)
    return inputs


def draws_same_images(graph: Graph, one: bytes, other: bytes, n: int = 1024) -> bool:
    """Return whether two ONNX files give the same bits in ONNX Runtime, for `n` images of each of three seeds."""
    sessions = [open_session(content, "cpu") for content in (one, other)]
    for seed in range(3):
        inputs = example_inputs(graph, n, seed)
        for start in range(0, n, max(BATCHES)):
            part = {name: values[start : start + max(BATCHES)] for name, values in inputs.items()}
            first, second = (run_session(session, part) for session in sessions)
            if first.tobytes() != second.tobytes():
                return False
    return True


def largest_difference(graph: Graph, module: nn.Module, model: bytes, tolerance: float = TOLERANCE) -> float:
    """Return the largest difference of a pixel between PyTorch and ONNX Runtime.

    Args:
        graph: Names and widths of the inputs.
        module: The reference in PyTorch.
        model: The ONNX file.
        tolerance: Largest accepted difference.

    Raises:
        ExportError: The difference exceeds the tolerance, or is not a number.
    """
    session = open_session(model, "cpu")
    largest = 0.0
    for n in BATCHES:
        inputs = example_inputs(graph, n, seed=n)
        with torch.inference_mode():
            expected = module(*map(torch.from_numpy, inputs.values())).numpy()  # (n, 1, 28, 28)
        image = run_session(session, inputs)
        if image.shape != expected.shape:
            raise ExportError(f"The shape in ONNX Runtime is {image.shape}; expected {expected.shape} as in PyTorch.")
        largest = np.maximum(largest, np.abs(image - expected).max())  # keeps NaN
    largest = float(largest)
    if not largest <= tolerance:
        raise ExportError(
            f"The difference between ONNX Runtime and PyTorch is {largest:.1e}; expected at most {tolerance:.0e}. "
            "Nothing was written."
        )
    return largest
