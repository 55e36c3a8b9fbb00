"""Build one model: from its weights to the bytes of its ONNX file and its facts in the manifest."""

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import mnistgen
from export.artifacts import manifest_bytes, write_artifacts
from export.graphs import clean, convert, float16, quantize
from export.graphs.models import FP16, GRAPHS, INT8, Graph, base_model
from export.weights import Weights
from mnistgen.manifest import METADATA_SCHEMA, Model
from training import gan


def build_model(
    name: str, weights: Weights, adjust: Callable[[nn.Module], None] = lambda module: None
) -> tuple[bytes, Model]:
    """Build a model and compare it with PyTorch.

    Args:
        name: One of SHIPPED.
        weights: The weights of the model, or of the one that it is a variant of.
        adjust: Changes the graph before it is exported, for experiments.

    Returns:
        The ONNX file, and what the manifest says about it.

    Raises:
        ExportError: The weights do not fit, or the file differs from PyTorch by more than the tolerance.
    """
    graph = GRAPHS[base_model(name)]
    module = graph.build(weights)
    adjust(module)
    facts = _facts(graph, weights)
    precision = _precision(name)
    form = graph.quantizable or graph.optimized if precision == "int8" else graph.optimized
    content, tolerance = convert.convert(graph, form(module).eval(), _metadata(name, facts)), convert.TOLERANCE
    if precision == "int8":
        content, tolerance = quantize.quantize(graph, content), quantize.TOLERANCE
    if precision == "float16":
        content, tolerance = float16.store_as_float16(content), float16.TOLERANCE
    return content, Model(
        name=name,
        file=f"{name}.onnx",
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
        inputs={key: ["N", width] for key, width in graph.inputs.items()},
        outputs={"image": ["N", 1, 28, 28]},
        opset=clean.OPSET,
        ir_version=clean.IR_VERSION,
        training={key: weights.facts[key] for key in ("command", "device", "final_metrics")},
        verification={
            "largest_difference": convert.largest_difference(graph, module, content, tolerance),
            "batches": list(convert.BATCHES),
            "versions": versions(),
        },
        precision=precision,
        **_clusters(module),
        flops=_flops(graph, module),
        **facts,
    )


def _precision(name: str) -> str:
    """Return the precision of the model `name`, as the manifest states it."""
    return "int8" if name.endswith(INT8) else "float16" if name.endswith(FP16) else "float32"


def versions() -> dict[str, str]:
    """Return the versions of the packages that make an ONNX file."""
    return {"torch": torch.__version__, "onnx": onnx.__version__, "onnxruntime": onnxruntime.__version__}


def _facts(graph: Graph, weights: Weights) -> dict[str, Any]:
    """Return the facts that both the file's metadata and the manifest state."""
    return {
        "latent_size": graph.inputs["z"],
        "classes": graph.inputs.get("label", 0),
        "value_range": [0.0, 1.0],
        **{key: weights.facts[key] for key in ("training_data", "recipe", "epochs", "git_revision")},
        "weights_sha256": weights.sha256,
    }


def _metadata(name: str, facts: dict[str, Any]) -> dict[str, str]:
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in facts.items()}
    return {"schema": METADATA_SCHEMA, "model": name, **texts}


def _clusters(module: nn.Module) -> dict[str, Any]:
    """Return the facts about the clusters of the latents, if any; the bias in the fewest digits of each float32."""
    prior = getattr(module, "prior", None)
    if not isinstance(prior, gan.Prior):
        return {}
    bias = [float(str(each)) for each in prior.leanings.numpy()]
    return {"label_bias": bias, "label_temperature": prior.temperature}


def _flops(graph: Graph, module: nn.Module) -> int:
    """Return the floating-point operations of the reference graph for one image."""
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        module(*(torch.zeros(1, width) for width in graph.inputs.values()))
    return counter.get_total_flops()


@contextmanager
def temporary_generator(
    name: str,
    weights: Weights,
    threads: int | None = None,
    adjust: Callable[[nn.Module], None] = lambda module: None,
) -> Iterator[mnistgen.Generator]:
    """Build a model as `build_model` does, into a temporary folder, and load it."""
    content, model = build_model(name, weights, adjust)
    with tempfile.TemporaryDirectory() as folder:
        manifest = manifest_bytes({name: model})
        write_artifacts({Path(folder) / model.file: content, Path(folder) / "manifest.json": manifest})
        yield mnistgen.load(name, device="cpu", threads=threads, artifacts=folder)
