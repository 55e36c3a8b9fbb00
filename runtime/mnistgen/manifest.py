"""The manifest: facts about each shipped model, and verified access to its bytes."""

import hashlib
import json
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Protocol

from mnistgen.errors import ArtifactError, UnknownModelError
from mnistgen.validation import check_types, same_major

SCHEMA = "1.0"
"""Version of the manifest that this code writes and reads; files of another major version are refused."""

_REINSTALL = "Reinstall mnistgen"


@dataclass(frozen=True)
class Model:
    """A shipped model, as the manifest describes it; raises TypeError if a value has another type."""

    name: str
    file: str
    """Name of the ONNX file, next to the manifest."""
    sha256: str
    """SHA-256 of the ONNX file, in hexadecimal."""
    bytes: int
    """Size of the ONNX file."""
    inputs: dict[str, list[str | int]]
    """Shape of each float32 input; "N" is the free batch size."""
    outputs: dict[str, list[str | int]]
    """Shape of each float32 output."""
    latent_size: int
    """Size of a latent."""
    classes: int
    """Number of labels; 0 for unconditional models."""
    value_range: list[float]
    """Smallest and largest value of a pixel."""
    opset: int
    ir_version: int
    training_data: str
    recipe: str
    epochs: int
    git_revision: str
    """Revision of the code that trained the model."""
    weights_sha256: str
    """SHA-256 of the exported weights file."""
    training: dict[str, Any]
    """Command, device and final metrics of the training."""
    verification: dict[str, Any]
    """Largest difference between ONNX Runtime and PyTorch at export."""
    precision: str = "float32"
    """Arithmetic of the model: "float32", or "int8" if its convolutions are quantized."""
    flops: int = 0
    """Floating-point operations per image; a multiplication and an addition count as two."""
    quality: dict[str, Any] = field(default_factory=dict)
    """Quality certificate; empty if there is none."""

    def __post_init__(self) -> None:
        check_types(self)


@dataclass(frozen=True)
class Verifier:
    """The classifier that reads digits back (`mnistgen.verify`), described like a model."""

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
    """Accuracy on MNIST's test set."""

    def __post_init__(self) -> None:
        check_types(self)


class ModelSource(Protocol):
    """Where a generator gets its model from: the manifest, or an ONNX file of your own."""

    def model(self, name: str) -> Model:
        """Return the facts about the model `name`."""

    def read_bytes(self, model: Model) -> bytes:
        """Return the bytes of the model's ONNX file, whose SHA-256 has been checked."""

    def read_verifier(self) -> bytes:
        """Return the bytes of the verifier's ONNX file, whose SHA-256 has been checked."""


class Manifest:
    """The manifest in a folder.

    Args:
        folder: Folder of manifest.json and the ONNX files.

    Raises:
        ArtifactError: The manifest is missing, damaged, or has another major schema version.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.path = folder / "manifest.json"
        read = self._read()
        try:
            self._check_schema(read["schema"])
            self.models = {name: _model(name, facts) for name, facts in read["models"].items()}
            self.verifier = _verifier(read["verifier"]) if "verifier" in read else None
            """The verifier, or None: a manifest need not list one."""
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ArtifactError(
                f"{self.path} is not a manifest of mnistgen", code="manifest-damaged", remedy=_REINSTALL
            ) from error

    def _read(self) -> Any:
        try:
            return json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise ArtifactError(
                f"The manifest {self.path} does not exist", code="manifest-missing", remedy=_REINSTALL
            ) from error
        except (OSError, ValueError) as error:
            raise ArtifactError(
                f"The manifest {self.path} cannot be read ({error})", code="manifest-damaged", remedy=_REINSTALL
            ) from error

    def _check_schema(self, schema: str) -> None:
        int(schema.split(".")[0])  # a ValueError if it is not a version
        if not same_major(schema, SCHEMA):
            raise ArtifactError(
                f"The schema of {self.path} is {schema}; expected {SCHEMA}",
                code="schema-unknown",
                remedy="Install the version of mnistgen that the models came with",
            )

    def model(self, name: str) -> Model:
        """Return the facts about the model `name`.

        Raises:
            UnknownModelError: There is no such model.
        """
        if name not in self.models:
            raise UnknownModelError(
                f"model is {name!r}; expected one of {', '.join(self.models)}", code="unknown-model"
            )
        return self.models[name]

    def read_bytes(self, model: Model | Verifier) -> bytes:
        """Return the bytes of the model's ONNX file.

        Raises:
            ArtifactError: The file cannot be read, or its SHA-256 is not the manifest's.
        """
        path = self.folder / model.file
        try:
            data = path.read_bytes()
        except OSError as error:
            raise ArtifactError(
                f"The model {path} cannot be read ({error.strerror})", code="model-missing", remedy=_REINSTALL
            ) from error
        digest = hashlib.sha256(data).hexdigest()
        if digest != model.sha256:
            raise ArtifactError(
                f"The SHA-256 of {path} is {digest[:12]}…; expected {model.sha256[:12]}…",
                code="model-hash-mismatch",
                remedy=_REINSTALL,
            )
        return data

    def read_verifier(self) -> bytes:
        """Return the bytes of the verifier's ONNX file.

        Raises:
            ArtifactError: The manifest lists no verifier, the file cannot be read, or its SHA-256 is another.
        """
        if not self.verifier:
            raise ArtifactError(
                f"{self.path} lists no verifier", code="verifier-missing", remedy="Generate without verification"
            )
        return self.read_bytes(self.verifier)


def _model(name: str, facts: dict[str, Any]) -> Model:
    known = {each.name for each in fields(Model)} - {"name"}
    required = known - {"precision", "flops", "quality"}
    return Model(name=name, **{key: facts[key] for key in known & ({*facts} | required)})


def _verifier(facts: dict[str, Any]) -> Verifier:
    return Verifier(**{each.name: facts[each.name] for each in fields(Verifier)})


def artifacts_folder() -> Path:
    """Return the folder of the models: in the installed package, or `artifacts/` of a checkout."""
    installed = Path(__file__).parent / "artifacts"
    return installed if installed.is_dir() else Path(__file__).parents[2] / "artifacts"
