"""An ONNX file of your own as a model, checked against contract C2."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from mnistgen.errors import ArtifactError
from mnistgen.inference.deadline import run_within
from mnistgen.inference.session import RUN_SECONDS, check_images, open_session, run_session
from mnistgen.latents import latents, one_hot
from mnistgen.manifest import METADATA_SCHEMA, Manifest, Model, artifacts_folder, check_size
from mnistgen.validation import MODEL_NAME, matches, same_major

_LARGEST_LATENT = 65_536
_FLOAT = "tensor(float)"
_FACTS = ("training_data", "recipe", "git_revision", "weights_sha256")
"""Metadata that a file may have."""
_LONGEST_FACT = 1000


class ModelFile:
    """The model in an ONNX file: a `ModelSource` of one model.

    The file's metadata, inputs and output are checked, and two digits are drawn from it on the CPU.

    Args:
        path: The ONNX file.
        timeout: Seconds that a run may take.

    Raises:
        ArtifactError: The file cannot be read, ONNX Runtime cannot open it, it breaks contract C2, or a run takes
            longer than `timeout`.
        MissingPackageError: ONNX Runtime is not installed.
    """

    def __init__(self, path: Path, timeout: float = RUN_SECONDS):
        self.path = path
        self.timeout = timeout
        data = self._read()
        try:
            session = open_session(data, "cpu")
            self.only = _describe(path, data, session)
            """Facts about the model."""
            _try(session, self.only, timeout)
        except UnicodeDecodeError as error:
            raise self._invalid("its names or metadata are not UTF-8") from error
        except _ContractError as error:
            raise self._invalid(str(error)) from error
        except ArtifactError as error:
            raise ArtifactError(
                f"{path} cannot be used: {error.problem}", code=error.code, remedy=error.remedy
            ) from error

    def model(self, name: str) -> Model:
        """Return the facts about the model, ignoring `name`."""
        return self.only

    def read_bytes(self, model: Model) -> bytes:
        """Return the bytes that were checked.

        Raises:
            ArtifactError: The file has changed since.
        """
        data = self._read()
        if hashlib.sha256(data).hexdigest() != model.sha256:
            raise ArtifactError(
                f"{self.path} has changed since it was loaded", code="model-hash-mismatch", remedy="Load it again"
            )
        return data

    def read_verifier(self) -> bytes:
        """Return the bytes of the verifier that ships with mnistgen."""
        return Manifest(artifacts_folder()).read_verifier()

    def _read(self) -> bytes:
        try:
            if not self.path.is_file():
                raise ArtifactError(
                    f"{self.path} is not a file", code="model-missing", remedy="Give the path of an ONNX file"
                )
            check_size(self.path)
            return self.path.read_bytes()
        except OSError as error:
            raise ArtifactError(f"{self.path} cannot be read ({error.strerror})", code="model-missing") from error

    def _invalid(self, reason: str) -> ArtifactError:
        return ArtifactError(
            f"{self.path} is not a model for mnistgen: {reason}",
            code="model-invalid",
            remedy="Export the model as docs/contract.md describes",
        )


class _ContractError(Exception):
    """How a file breaks contract C2, as the end of a sentence."""


def _describe(path: Path, data: bytes, session: Any) -> Model:
    """Return the facts that the file tells; others are 0 or empty.

    Raises:
        _ContractError: The file breaks contract C2.
    """
    metadata = session.get_modelmeta().custom_metadata_map
    _check_metadata(metadata)
    latent_size, classes = _integer(metadata, "latent_size", 1, _LARGEST_LATENT), _integer(metadata, "classes", 0, 10)
    if classes not in (0, 10):
        raise _ContractError(f"its metadata's classes is {classes}; expected 0 or 10")
    inputs: dict[str, list[str | int]] = {"z": ["N", latent_size]}
    if classes:
        inputs["label"] = ["N", classes]
    outputs: dict[str, list[str | int]] = {"image": ["N", 1, 28, 28]}
    _check_shapes("inputs", session.get_inputs(), inputs)
    _check_shapes("outputs", session.get_outputs(), outputs)
    return Model(
        name=metadata["model"],
        file=path.name,
        sha256=hashlib.sha256(data).hexdigest(),
        bytes=len(data),
        inputs=inputs,
        outputs=outputs,
        latent_size=latent_size,
        classes=classes,
        value_range=[0.0, 1.0],
        opset=0,
        ir_version=0,
        **{key: metadata.get(key, "")[:_LONGEST_FACT] for key in _FACTS},
        epochs=0,
        training={},
        verification={},
    )


def _check_metadata(metadata: dict[str, str]) -> None:
    for key in ("schema", "model", "latent_size", "classes", "value_range"):
        if key not in metadata:
            raise _ContractError(f"its metadata has no key {key}")
    if not same_major(metadata["schema"], METADATA_SCHEMA):
        raise _ContractError(f"its metadata's schema is {_short(metadata['schema'])}; expected {METADATA_SCHEMA}")
    if not matches(MODEL_NAME)(metadata["model"]):
        raise _ContractError(
            f"its metadata's model is {_short(metadata['model'])}; expected a name of letters, digits and ._+-"
        )
    try:
        value_range = json.loads(metadata["value_range"])
    except (ValueError, RecursionError):
        value_range = None
    if value_range != [0, 1]:
        raise _ContractError(f"its metadata's value_range is {_short(metadata['value_range'])}; expected [0.0, 1.0]")


def _integer(metadata: dict[str, str], key: str, least: int, most: int) -> int:
    if not matches("[0-9]{1,6}")(metadata[key]) or not least <= int(metadata[key]) <= most:
        raise _ContractError(
            f"its metadata's {key} is {_short(metadata[key])}; expected an integer from {least} to {most}"
        )
    return int(metadata[key])


def _check_shapes(what: str, given: list[Any], expected: dict[str, list[str | int]]) -> None:
    """Check that the session's inputs or outputs are float32 of the expected shapes, the first dimension free."""
    shapes = {
        each.name: ["N" if i == 0 and not isinstance(d, int) else d for i, d in enumerate(each.shape)] for each in given
    }
    if shapes != expected or any(each.type != _FLOAT for each in given):
        found = ", ".join(f"{each.name} {each.type} {each.shape}" for each in given)
        wanted = ", ".join(f"{name} {_FLOAT} {shape}" for name, shape in expected.items())
        raise _ContractError(f"its {what} are {_short(found, 200)}; expected {wanted}")


def _try(session: Any, model: Model, timeout: float) -> None:
    """Draw two digits and check that their values are finite and in [0, 1]."""
    inputs = {"z": latents(2, model.latent_size, seed=0)}
    if model.classes:
        inputs["label"] = one_hot(np.arange(2), model.classes)
    try:
        images = run_within(timeout, run_session, session, inputs, model.name)
    except ArtifactError:
        raise
    except Exception as error:  # onnxruntime's exceptions have no common base class
        raise _ContractError(f"it fails to draw two digits ({_short(str(error), 200)})") from error
    check_images(images, 2, model.name)


def _short(text: str, most: int = 40) -> str:
    return repr(text if len(text) <= most else f"{text[:most]}…")
