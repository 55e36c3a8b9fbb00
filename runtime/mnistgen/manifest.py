"""The manifest: facts about each shipped model, and verified access to its bytes."""

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, Protocol

from mnistgen.errors import ArtifactError, UnknownModelError
from mnistgen.validation import (
    MODEL_NAME,
    check_fields,
    either,
    facts,
    mapping,
    matches,
    number,
    one_of,
    same_major,
    several,
    shown,
    text,
    whole,
)

SCHEMA = "1.1"
"""Version of the manifest that this code writes and reads; files of another major version are refused."""
METADATA_SCHEMA = "1.0"
"""Version of the metadata in ONNX files, likewise."""

MOST_BYTES = 2**31 - 1
"""Maximum size of a model's file, as in ONNX itself."""
_MOST_MANIFEST_BYTES = 10_000_000
_REINSTALL = "Reinstall mnistgen"


_Bytes = Annotated[int, whole(1, MOST_BYTES + 1)]
_Epochs = Annotated[int, whole(0, 1_000_000)]
_Facts = Annotated[dict[str, Any], facts]
_Sha256 = Annotated[str, matches("[0-9a-f]{64}")]
_Shapes = Annotated[dict[str, list[str | int]], mapping(several(either(one_of("N"), whole(1, 65_537)), 1, 8))]
_Text = Annotated[str, text(1000)]
_Version = Annotated[int, whole(0, 1000)]


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """An ONNX file, as the manifest describes it; raises ValueError if a value is invalid."""

    file: _Text
    """Name of the ONNX file, next to the manifest."""
    sha256: _Sha256
    """SHA-256 of the ONNX file, in hexadecimal."""
    bytes: _Bytes
    """Size of the ONNX file."""
    inputs: _Shapes
    """Shape of each float32 input; "N" is the free batch size."""
    outputs: _Shapes
    """Shape of each float32 output."""
    opset: _Version
    ir_version: _Version
    training_data: _Text
    recipe: _Text
    epochs: _Epochs
    git_revision: _Text
    """Revision of the code that trained the model."""
    weights_sha256: _Text
    """SHA-256 of the exported weights file."""
    training: _Facts
    """Command, device and final metrics of the training."""
    verification: _Facts
    """Largest difference between ONNX Runtime and PyTorch at export."""

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True, kw_only=True)
class Model(Artifact):
    """A model: one that ships, or your own."""

    name: Annotated[str, matches(MODEL_NAME)]
    latent_size: Annotated[int, whole(1, 65_537)]
    """Size of a latent."""
    classes: Annotated[int, one_of(0, 10)]
    """Number of labels; 0 for unconditional models."""
    value_range: Annotated[list[float], several(number(0, 1), 2, 2)]
    """Smallest and largest value of a pixel."""
    precision: Annotated[str, one_of("float32", "float16", "int8")] = "float32"
    """One of "float32", "float16" (weights are stored so, computing is in float32) and "int8" (quantized)."""
    label_bias: Annotated[list[float], either(several(number(-1, 1), 10, 10), several(number(0, 0), 0, 0))] = field(
        default_factory=list
    )
    """Added to the first ten components of a latent, so that the largest sum names the digit; empty if none does."""
    label_temperature: Annotated[float, either(number(0, 0), number(1e-4, 1))] = 0
    """Temperature of the softmax over these sums, which gives the weights of the clusters; 0 if there is none."""
    label_map: Annotated[list[str], either(several(matches("[0-9-]{128}"), 128, 128), several(one_of(), 0, 0))] = field(
        default_factory=list
    )
    """Digits in the plane of latents, if it has two dimensions (`mnistgen.latent_digits`); empty if unknown.

    Character j of string i names the digit of cell j along the first axis and i along the second, or is "-".
    """
    flops: Annotated[int, whole(0, 2**63)] = 0
    """Floating-point operations per image; a multiplication and an addition count as two."""
    quality: _Facts = field(default_factory=dict)
    """Quality certificate; empty if there is none."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.label_bias and len(self.label_bias) >= self.latent_size:
            raise ValueError("label_bias")
        if self.label_temperature and not self.label_bias:
            raise ValueError("label_temperature")
        if self.label_map and self.latent_size != 2:
            raise ValueError("label_map")

    @property
    def certified(self) -> bool:
        """Whether the quality has been measured and misses no threshold.

        It follows from `quality`, so a manifest cannot contradict itself, and older manifests need not state it.
        """
        return bool(self.quality.get("thresholds")) and self.quality.get("missed_thresholds") == []

    def facts(self) -> dict[str, Any]:
        """Return what the manifest says about the model."""
        facts = {key: value for key, value in asdict(self).items() if key not in ("name", "quality")}
        return {**facts, "certified": self.certified, "quality": self.quality}


@dataclass(frozen=True, kw_only=True)
class Verifier(Artifact):
    """The classifier that reads digits back (`mnistgen.verify`)."""

    test_accuracy: Annotated[float, number(0, 1)]
    """Accuracy on MNIST's test set."""


class ModelSource(Protocol):
    """Where a generator gets its model from: the manifest, or an ONNX file of your own."""

    @property
    def timeout(self) -> float | None:
        """Seconds that a run may take; None if the model is trusted to end."""

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

    timeout = None

    def __init__(self, folder: Path):
        self.folder = folder
        self.path = folder / "manifest.json"
        read = self._read()
        try:
            self._check_schema(read["schema"])
            self.models = {name: _model(name, given) for name, given in read["models"].items()}
            self.verifier = _verifier(read["verifier"]) if "verifier" in read else None
            """The verifier, or None: a manifest need not list one."""
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ArtifactError(
                f"{self.path} is not a manifest of mnistgen", code="manifest-damaged", remedy=_REINSTALL
            ) from error

    def _read(self) -> Any:
        try:
            if self.path.stat().st_size > _MOST_MANIFEST_BYTES:
                raise ValueError(f"it is larger than {_MOST_MANIFEST_BYTES} bytes")
            return json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise ArtifactError(
                f"The manifest {self.path} does not exist", code="manifest-missing", remedy=_REINSTALL
            ) from error
        except (OSError, ValueError, RecursionError) as error:
            raise ArtifactError(
                f"The manifest {self.path} cannot be read ({error})", code="manifest-damaged", remedy=_REINSTALL
            ) from error

    def _check_schema(self, schema: str) -> None:
        if not matches(r"[0-9]{1,3}\.[0-9]{1,3}")(schema):
            raise ValueError("schema")
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
        if not isinstance(name, str) or name not in self.models:
            raise UnknownModelError(
                f"model is {shown(name)}; expected one of {', '.join(self.models)}", code="unknown-model"
            )
        return self.models[name]

    def read_bytes(self, model: Artifact) -> bytes:
        """Return the bytes of the ONNX file of a model or of the verifier.

        Raises:
            ArtifactError: The file cannot be read, or its SHA-256 is not the manifest's.
        """
        path = self.folder / model.file
        try:
            check_size(path)
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


def _model(name: str, given: dict[str, Any]) -> Model:
    known = {each.name for each in fields(Model)} - {"name"}
    required = known - {"precision", "label_bias", "label_temperature", "label_map", "flops", "quality"}
    _check_file(given["file"])
    return Model(name=name, **{key: given[key] for key in known & ({*given} | required)})


def _verifier(given: dict[str, Any]) -> Verifier:
    _check_file(given["file"])
    return Verifier(**{each.name: given[each.name] for each in fields(Verifier)})


def _check_file(name: str) -> None:
    """Raise ValueError unless `name` is a plain file name, in the folder of the manifest."""
    if not matches(MODEL_NAME)(name):
        raise ValueError("file")


def check_size(path: Path) -> None:
    """Raise ArtifactError if the file is too large for a model, before it is read; OSError if there is none."""
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise ArtifactError(f"{path} has {size} bytes; expected at most {MOST_BYTES}", code="model-too-large")


def artifacts_folder() -> Path:
    """Return the folder of the models: in the installed package, or `artifacts/` of a checkout."""
    installed = Path(__file__).parent / "artifacts"
    return installed if installed.is_dir() else Path(__file__).parents[2] / "artifacts"
