"""From weights to files that ship: one model's ONNX file and facts, the manifest, and writing all of it or nothing."""

import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import onnx
import onnxruntime
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import mnistgen
from export.errors import ExportError
from export.graphs import convert, quantize
from export.graphs.models import GRAPHS, INT8, SHIPPED, Graph, original
from export.weights import Weights
from mnistgen.errors import ArtifactError
from mnistgen.manifest import SCHEMA, Manifest, Model, Verifier
from training.files import replace_files


def press(name: str, found: Weights) -> tuple[bytes, Model]:
    """The ONNX file of the model `name`, or of its eight-bit form, and what the manifest says of it."""
    graph = GRAPHS[original(name)]
    module = graph.build(found)
    facts = {
        "latent_size": graph.inputs["z"],
        "classes": graph.inputs.get("label", 0),
        "value_range": [0.0, 1.0],
        "training_data": found.facts["training_data"],
        "recipe": found.facts["recipe"],
        "epochs": found.facts["epochs"],
        "git_revision": found.facts["git_revision"],
        "weights_sha256": found.sha256,
    }
    metadata = {"schema": SCHEMA, "model": name}
    metadata |= {key: value if isinstance(value, str) else json.dumps(value) for key, value in facts.items()}
    eight_bit = name.endswith(INT8)
    form = graph.eight_bit or graph.fast if eight_bit else graph.fast
    content, tolerance = convert.convert(graph, form(module).eval(), metadata), convert.TOLERANCE
    if eight_bit:
        content, tolerance = quantize.quantized(graph, content), quantize.TOLERANCE
    return content, Model(
        name=name,
        file=f"{name}.onnx",
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
        inputs={key: ["N", width] for key, width in graph.inputs.items()},
        outputs={"image": ["N", 1, 28, 28]},
        opset=convert.OPSET,
        ir_version=convert.IR_VERSION,
        training={key: found.facts[key] for key in ("command", "device", "final_metrics")},
        verification={
            "largest_difference": convert.largest_difference(graph, module, content, tolerance),
            "batches": list(convert.BATCHES),
            "versions": {"torch": torch.__version__, "onnx": onnx.__version__, "onnxruntime": onnxruntime.__version__},
        },
        precision="int8" if eight_bit else "float32",
        flops=_flops(graph, module),
        **facts,
    )


def _flops(graph: Graph, module: nn.Module) -> int:
    """Floating-point operations of the network as trained, for one image."""
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        module(*(torch.zeros(1, width) for width in graph.inputs.values()))
    return counter.get_total_flops()


def certified_as(model: Model, before: Model | None) -> Model:
    """`model` with the certificate that it had before, if its file is the same still."""
    return replace(model, quality=before.quality) if before and before.sha256 == model.sha256 else model


def listed(artifacts: Path) -> dict[str, Model]:
    """The models that the manifest in `artifacts` lists already; none where there is no manifest."""
    manifest = _manifest(artifacts)
    return manifest.models if manifest else {}


def listed_verifier(artifacts: Path) -> Verifier | None:
    """The verifier that the manifest in `artifacts` lists already, if it does."""
    manifest = _manifest(artifacts)
    return manifest.verifier if manifest else None


def _manifest(artifacts: Path) -> Manifest | None:
    if not (artifacts / "manifest.json").exists():
        return None
    try:
        return Manifest(artifacts)
    except ArtifactError as error:
        raise ExportError(f"{artifacts / 'manifest.json'} cannot be read: delete it, and export with --all.") from error


def manifest_bytes(models: Mapping[str, Model], verifier: Verifier | None = None) -> bytes:
    """The manifest that lists `models`, and the `verifier` if there is one."""
    facts = {
        name: {key: value for key, value in asdict(models[name]).items() if key != "name"}
        for name in sorted(models, key=[*SHIPPED, *models].index)
    }
    other = {"verifier": asdict(verifier)} if verifier else {}
    return (json.dumps({"schema": SCHEMA, "models": facts, **other}, indent=2) + "\n").encode()


def publish(contents: dict[Path, bytes], option: str = "--artifacts") -> None:
    """Write all files or none; raises ExportError where the disk refuses, to name another folder by `option`."""
    try:
        for path in contents:
            path.parent.mkdir(parents=True, exist_ok=True)
        replace_files(contents)
    except OSError as error:
        raise ExportError(
            f"{error.filename or 'The artifacts'} cannot be written ({error.strerror}): nothing was changed; make room "
            f"or name another folder with {option}."
        ) from error


@contextmanager
def exported(name: str, found: Weights, threads: int | None = None) -> Iterator[mnistgen.Generator]:
    """A generator with the weights `found`, exported for the time being."""
    content, model = press(name, found)
    with tempfile.TemporaryDirectory() as folder:
        publish({Path(folder) / model.file: content, Path(folder) / "manifest.json": manifest_bytes({name: model})})
        yield mnistgen.load(name, device="cpu", threads=threads, artifacts=folder)
