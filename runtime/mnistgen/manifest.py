"""The manifest: what is true of each model that ships, and the one way to its bytes."""

import hashlib
import json
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, get_origin

from mnistgen.errors import ArtifactError, UnknownModelError

SCHEMA = "1.0"
"""Version of the manifest that this code writes and reads; a file of another major version is refused."""


@dataclass(frozen=True)
class Model:
    """A model that ships, as the manifest describes it; raises TypeError where a value is of another type."""

    name: str
    file: str
    """Name of the ONNX file, beside the manifest."""
    sha256: str
    """Of the ONNX file, in hexadecimal."""
    bytes: int
    """Size of the ONNX file."""
    inputs: dict[str, list[str | int]]
    """Shape of each float32 input; "N" is the free batch size."""
    outputs: dict[str, list[str | int]]
    """Shape of each float32 output."""
    latent_size: int
    """Numbers in a latent."""
    classes: int
    """Labels that can be asked for; 0 where the model takes none."""
    value_range: list[float]
    """Least and greatest value of a pixel."""
    opset: int
    ir_version: int
    training_data: str
    recipe: str
    epochs: int
    git_revision: str
    """Of the code that trained the model."""
    weights_sha256: str
    """Of the weights file that was exported."""
    training: dict[str, Any]
    """Command, device and last metrics of the training."""
    verification: dict[str, Any]
    """How far ONNX Runtime was from PyTorch when the file was made."""
    precision: str = "float32"
    """What the model computes in: "float32", or "int8" where its convolutions are in eight bits."""
    flops: int = 0
    """Floating-point operations of the network for one image, a multiplication and an addition counted as two."""
    quality: dict[str, Any] = field(default_factory=dict)
    """The certificate of what the model's digits are worth; empty where there is none."""

    def __post_init__(self) -> None:
        _check_types(self)


@dataclass(frozen=True)
class Verifier:
    """The classifier that reads digits back (`mnistgen.verify`), described in the same words as a model."""

    file: str
    sha256: str
    bytes: int
    inputs: dict[str, list[str | int]]
    outputs: dict[str, list[str | int]]
    opset: int
    ir_version: int
    training_data: str
    recipe: str
    epochs: int
    git_revision: str
    weights_sha256: str
    training: dict[str, Any]
    verification: dict[str, Any]
    test_accuracy: float
    """Share of MNIST's test set that it reads rightly."""

    def __post_init__(self) -> None:
        _check_types(self)


def _check_types(facts: Model | Verifier) -> None:
    for each in fields(facts):
        plain = get_origin(each.type) or each.type
        if not isinstance(getattr(facts, each.name), plain):  # type: ignore[arg-type]
            raise TypeError(each.name)


class Manifest:
    """The manifest in `folder`.

    Raises ArtifactError where it is missing, damaged, or of another major schema version.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.path = folder / "manifest.json"
        read = self._read()
        try:
            self._check_schema(read["schema"])
            known = {each.name for each in fields(Model)} - {"name"}
            required = known - {"precision", "flops", "quality"}
            self.models = {
                name: Model(name=name, **{key: facts[key] for key in known & ({*facts} | required)})
                for name, facts in read["models"].items()
            }
            self.verifier = _verifier(read["verifier"]) if "verifier" in read else None
            """The verifier, or None: a manifest need not list one."""
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ArtifactError(f"{self.path} is no manifest of mnistgen: {_REINSTALL}.") from error

    def _read(self) -> Any:
        try:
            return json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise ArtifactError(f"There is no manifest at {self.path}: {_REINSTALL}.") from error
        except (OSError, ValueError) as error:
            raise ArtifactError(f"{self.path} cannot be read or is damaged: {_REINSTALL}.") from error

    def _check_schema(self, schema: str) -> None:
        if int(schema.split(".")[0]) != int(SCHEMA.split(".")[0]):
            raise ArtifactError(
                f"{self.path} has schema {schema}, and this mnistgen reads {SCHEMA}: install the mnistgen it came with."
            )

    def model(self, name: str) -> Model:
        """The model called `name`; raises UnknownModelError, which names those that there are."""
        if name not in self.models:
            raise UnknownModelError(f"There is no model {name!r}: choose one of {', '.join(self.models)}.")
        return self.models[name]

    def read_verifier(self) -> bytes:
        """The bytes of the verifier's ONNX file; raises ArtifactError where none is listed, or as `read_bytes`."""
        if not self.verifier:
            raise ArtifactError(f"{self.path} lists no verifier: draw without verifying.")
        return self.read_bytes(self.verifier)

    def read_bytes(self, model: Model | Verifier) -> bytes:
        """The bytes of the model's ONNX file, which have the SHA-256 of the manifest; raises ArtifactError else."""
        path = self.folder / model.file
        try:
            data = path.read_bytes()
        except OSError as error:
            raise ArtifactError(f"The model {path} cannot be read ({error.strerror}): {_REINSTALL}.") from error
        if hashlib.sha256(data).hexdigest() != model.sha256:
            raise ArtifactError(f"The model {path} is damaged (its SHA-256 is not the manifest's): {_REINSTALL}.")
        return data


def _verifier(facts: dict[str, Any]) -> Verifier:
    return Verifier(**{each.name: facts[each.name] for each in fields(Verifier)})


_REINSTALL = "install mnistgen anew"


def artifacts_folder() -> Path:
    """Where the models are: inside the installed package, or in a checkout's `artifacts/`."""
    installed = Path(__file__).parent / "artifacts"
    return installed if installed.is_dir() else Path(__file__).parents[2] / "artifacts"
