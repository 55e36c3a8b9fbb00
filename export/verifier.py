"""Turn the trained verifier into the ONNX file that ships: `python -m export.verifier`."""

import hashlib
import json
from pathlib import Path

import click
import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor, nn

from export import weights
from export.artifacts import listed, manifest_bytes, publish
from export.errors import ExportError
from export.graphs import convert
from export.graphs.models import load
from export.weights import Weights
from mnistgen import verify
from mnistgen.inference.session import open_session
from mnistgen.manifest import SCHEMA, Verifier
from training import data
from training import verifier as trained
from training.data import Digits

_FOLDER = click.Path(path_type=Path, file_okay=False)


class VerifierGraph(nn.Module):
    """The verifier with probabilities for logits: image (N, 1, 28, 28) in [0, 1] → probabilities (N, 10).

    Its last layer is a convolution, as a product of matrices would round a lone image otherwise than one of many.
    """

    def __init__(self, network: trained.Verifier):
        super().__init__()
        *layers, _, head = network.layers
        self.layers = nn.Sequential(*layers)  # → (N, 40, 1, 1)
        self.head = nn.Conv2d(head.in_features, head.out_features, 1)
        self.head.weight, self.head.bias = nn.Parameter(head.weight[:, :, None, None]), head.bias

    def forward(self, image: Tensor) -> Tensor:
        return self.head(self.layers(image)).flatten(1).softmax(1)


def press(found: Weights) -> bytes:
    """The verifier's ONNX file."""
    facts = {key: found.facts[key] for key in ("training_data", "recipe", "epochs", "git_revision")}
    metadata = {"schema": SCHEMA, "model": "verifier", **{key: str(value) for key, value in facts.items()}}
    metadata |= {"weights_sha256": found.sha256}
    inputs = dict(zip([verify.INPUT], trained.Verifier.input_shapes, strict=True))
    return convert.traced(VerifierGraph(_network(found)).eval(), inputs, verify.OUTPUT, metadata)


def describe(found: Weights, content: bytes, test: Digits) -> Verifier:
    """What the manifest says of the file `content`, which reads `test`.

    Raises ExportError where ONNX Runtime and PyTorch read it differently.
    """
    probabilities, difference = _compared(found, content, test)
    return Verifier(
        file="verifier.onnx",
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
        inputs={verify.INPUT: ["N", 1, 28, 28]},
        outputs={verify.OUTPUT: ["N", 10]},
        opset=convert.OPSET,
        ir_version=convert.IR_VERSION,
        weights_sha256=found.sha256,
        training={key: found.facts[key] for key in ("command", "device", "final_metrics")},
        verification={
            "largest_difference": difference,
            "versions": {"torch": torch.__version__, "onnx": onnx.__version__, "onnxruntime": onnxruntime.__version__},
        },
        test_accuracy=float((probabilities.argmax(1) == test.labels.numpy()).mean()),
        **{key: found.facts[key] for key in ("training_data", "recipe", "epochs", "git_revision")},
    )


def _compared(found: Weights, content: bytes, test: Digits) -> tuple[np.ndarray, float]:
    """ONNX Runtime's probabilities (N, 10) of the test set, and how far they are from PyTorch's at most."""
    session, network = open_session(content, "cpu"), _network(found)
    read, largest = [], 0.0
    for images in test.images.split(500):
        digits = images.float() / 255  # (B, 1, 28, 28)
        with torch.inference_mode():
            expected = network(digits).softmax(1).numpy()  # (B, 10)
        read += session.run([verify.OUTPUT], {verify.INPUT: digits.numpy()})
        largest = np.maximum(largest, np.abs(read[-1] - expected).max())  # NaN, if there is one
    if not largest <= convert.TOLERANCE:
        raise ExportError(f"ONNX Runtime and PyTorch are {largest:.1e} apart: nothing written.")
    return np.concatenate(read), float(largest)


def _network(found: Weights) -> nn.Module:
    return load(trained.Verifier(), "verifier", found)


@click.command()
@click.option("--checkpoints", type=_FOLDER, default="checkpoints", show_default=True, help="Folder of the trainings.")
@click.option("--artifacts", type=_FOLDER, default="artifacts", show_default=True, help="Folder to write to.")
@click.option("--data", "mnist", type=_FOLDER, default="data", show_default=True, help="Folder of MNIST.")
def main(checkpoints: Path, artifacts: Path, mnist: Path) -> None:
    """Convert the verifier to ONNX, checked against PyTorch on MNIST's test set, and list it in the manifest.

    Its weights come from the folder --checkpoints where a finished training left some, and are then copied beside the
    artifacts; else from weights/ in the folder --artifacts.

    \b
    Example:
      python -m export.verifier
    """
    found = weights.find("verifier", checkpoints, artifacts)
    content = press(found)
    facts = describe(found, content, data.load(mnist, "test"))
    publish(
        {
            artifacts / facts.file: content,
            artifacts / "weights" / "verifier.safetensors": found.content,
            artifacts / "manifest.json": manifest_bytes(listed(artifacts), facts),
        }
    )
    click.echo(json.dumps({"file": facts.file, "bytes": facts.bytes, "test_accuracy": facts.test_accuracy}))


if __name__ == "__main__":
    main()
