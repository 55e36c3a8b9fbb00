"""Export the trained verifier to ONNX: `python -m export.verifier`."""

import hashlib
import json
from pathlib import Path

import click
import numpy as np
from torch import Tensor, inference_mode, nn

from export import weights
from export.artifacts import locked_artifacts, manifest_bytes, read_models, write_artifacts
from export.build import versions
from export.errors import ExportError
from export.graphs import clean, convert
from export.graphs.models import load
from export.weights import Weights
from mnistgen import verify
from mnistgen.inference.session import open_session
from mnistgen.manifest import METADATA_SCHEMA, Verifier
from training import data
from training import verifier as trained
from training.data import Digits

_FOLDER = click.Path(path_type=Path, file_okay=False)
_FACTS = ("training_data", "recipe", "epochs", "git_revision")


class VerifierGraph(nn.Module):
    """The verifier with a softmax: image (N, 1, 28, 28) in [0, 1] → probabilities (N, 10).

    Its last layer is a convolution: a matrix product would round a single image differently from a batch.
    """

    def __init__(self, network: trained.Verifier):
        super().__init__()
        *layers, _, head = network.layers
        self.layers = nn.Sequential(*layers)  # → (N, 40, 1, 1)
        self.head = nn.Conv2d(head.in_features, head.out_features, 1)
        self.head.weight, self.head.bias = nn.Parameter(head.weight[:, :, None, None]), head.bias

    def forward(self, image: Tensor) -> Tensor:
        """Classify images."""
        return self.head(self.layers(image)).flatten(1).softmax(1)


def build_verifier(found: Weights) -> bytes:
    """Build the verifier's ONNX file."""
    metadata = {"schema": METADATA_SCHEMA, "model": "verifier", **{key: str(found.facts[key]) for key in _FACTS}}
    metadata["weights_sha256"] = found.sha256
    inputs = dict(zip([verify.INPUT], trained.Verifier.input_shapes, strict=True))
    return convert.convert_module(VerifierGraph(_network(found)).eval(), inputs, verify.OUTPUT, metadata)


def describe(found: Weights, content: bytes, test: Digits) -> Verifier:
    """Return what the manifest says about the verifier, and compare it with PyTorch.

    Args:
        found: The weights.
        content: The ONNX file.
        test: MNIST's test set.

    Raises:
        ExportError: ONNX Runtime and PyTorch differ by more than the tolerance.
    """
    probabilities, difference = _compare(found, content, test)
    return Verifier(
        file="verifier.onnx",
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
        inputs={verify.INPUT: ["N", 1, 28, 28]},
        outputs={verify.OUTPUT: ["N", 10]},
        opset=clean.OPSET,
        ir_version=clean.IR_VERSION,
        weights_sha256=found.sha256,
        training={key: found.facts[key] for key in ("command", "device", "final_metrics")},
        verification={"largest_difference": difference, "versions": versions()},
        test_accuracy=float((probabilities.argmax(1) == test.labels.numpy()).mean()),
        **{key: found.facts[key] for key in _FACTS},
    )


def _compare(found: Weights, content: bytes, test: Digits) -> tuple[np.ndarray, float]:
    """Return ONNX Runtime's probabilities (N, 10) for the test set, and their largest difference from PyTorch's."""
    session, network = open_session(content, "cpu"), _network(found)
    parts, largest = [], 0.0
    for images in test.images.split(500):
        digits = images.float() / 255  # (B, 1, 28, 28)
        with inference_mode():
            expected = network(digits).softmax(1).numpy()  # (B, 10)
        parts += session.run([verify.OUTPUT], {verify.INPUT: digits.numpy()})
        largest = np.maximum(largest, np.abs(parts[-1] - expected).max())  # keeps NaN
    if not largest <= convert.TOLERANCE:
        raise ExportError(
            f"The difference between ONNX Runtime and PyTorch is {largest:.1e}; expected at most "
            f"{convert.TOLERANCE:.0e}. Nothing was written."
        )
    return np.concatenate(parts), float(largest)


def _network(found: Weights) -> nn.Module:
    return load(trained.Verifier(), "verifier", found)


@click.command()
@click.option(
    "--checkpoints", type=_FOLDER, default="checkpoints", show_default=True, help="Folder of finished trainings."
)
@click.option("--artifacts", type=_FOLDER, default="artifacts", show_default=True, help="Folder to write to.")
@click.option("--data", "mnist", type=_FOLDER, default="data", show_default=True, help="Folder of MNIST.")
def main(checkpoints: Path, artifacts: Path, mnist: Path) -> None:
    """Export the verifier to ONNX, compare it with PyTorch on MNIST's test set, and list it in the manifest.

    Weights are read from --checkpoints if a finished training left them there, and are then copied to weights/ in
    --artifacts; otherwise from there.

    \b
    Example:
      python -m export.verifier
    """
    click.get_current_context().with_resource(locked_artifacts(artifacts))
    found = weights.find("verifier", checkpoints, artifacts)
    content = build_verifier(found)
    facts = describe(found, content, data.load(mnist, "test"))
    write_artifacts(
        {
            artifacts / facts.file: content,
            artifacts / "weights" / "verifier.safetensors": found.content,
            artifacts / "manifest.json": manifest_bytes(read_models(artifacts), facts),
        }
    )
    click.echo(json.dumps({"file": facts.file, "bytes": facts.bytes, "test_accuracy": facts.test_accuracy}))


if __name__ == "__main__":
    main()
