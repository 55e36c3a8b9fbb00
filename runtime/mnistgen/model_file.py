"""An ONNX file of one's own as a model, checked against what contract C2 promises of a file."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from mnistgen.errors import ArtifactError, MnistgenError
from mnistgen.inference.session import open_session, run_session
from mnistgen.latents import latents, one_hot
from mnistgen.manifest import SCHEMA, Manifest, Model, Verifier, artifacts_folder
from mnistgen.provenance import NAME

_LARGEST_LATENT = 65_536
_FLOAT = "tensor(float)"


class ModelFile(Manifest):
    """A manifest of the one model in the ONNX file at `path`.

    Raises ArtifactError where the file cannot be read, ONNX Runtime cannot open it, or its inputs, output, metadata or
    digits are not as mnistgen's; MissingPackageError without ONNX Runtime.
    """

    def __init__(self, path: Path):
        self.folder, self.path = path.parent, path
        data = self._bytes()
        try:
            session = open_session(data, "cpu")
            described = _model(path, data, session)
            _try(session, described)
        except UnicodeDecodeError as error:
            raise ArtifactError(f"{path} is no model for mnistgen: its names or metadata are no UTF-8.") from error
        except _BrokenPromiseError as error:
            raise ArtifactError(f"{path} is no model for mnistgen: {error}.") from error
        except ArtifactError as error:
            raise ArtifactError(f"{path} is no model: {error}") from error
        self.models = {described.name: described}

    @property
    def only(self) -> Model:
        """The model."""
        (model,) = self.models.values()
        return model

    def read_verifier(self) -> bytes:
        """Those of the verifier that comes with mnistgen, as a file of one's own brings none."""
        return Manifest(artifacts_folder()).read_verifier()

    def read_bytes(self, model: Model | Verifier) -> bytes:
        """The bytes of the file that was checked; raises ArtifactError where it is not the same any more."""
        data = self._bytes()
        if hashlib.sha256(data).hexdigest() != model.sha256:
            raise ArtifactError(f"{self.path} has changed since it was checked: load it anew.")
        return data

    def _bytes(self) -> bytes:
        try:
            if not self.path.is_file():
                raise ArtifactError(f"There is no file {self.path}: name an ONNX file.")
            return self.path.read_bytes()
        except OSError as error:
            raise ArtifactError(f"The model {self.path} cannot be read ({error.strerror}).") from error


class _BrokenPromiseError(MnistgenError):
    """In the words that finish a sentence on the file."""


def _model(path: Path, data: bytes, session: Any) -> Model:
    """The model as its file describes it, what that does not tell being 0 or empty.

    Raises _BrokenPromiseError where it is not what contract C2 promises.
    """
    facts = session.get_modelmeta().custom_metadata_map
    _check_metadata(facts)
    latent_size, classes = _whole(facts, "latent_size", 1, _LARGEST_LATENT), _whole(facts, "classes", 0, 10)
    if classes not in (0, 10):
        raise _BrokenPromiseError(f"its metadata's classes are {classes}, and 0 or 10 would be right")
    inputs: dict[str, list[str | int]] = {"z": ["N", latent_size]}
    if classes:
        inputs["label"] = ["N", classes]
    outputs: dict[str, list[str | int]] = {"image": ["N", 1, 28, 28]}
    _check_shapes("inputs", session.get_inputs(), inputs)
    _check_shapes("outputs", session.get_outputs(), outputs)
    return Model(
        name=facts["model"],
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
        training_data=facts.get("training_data", ""),
        recipe=facts.get("recipe", ""),
        epochs=0,
        git_revision=facts.get("git_revision", ""),
        weights_sha256=facts.get("weights_sha256", ""),
        training={},
        verification={},
    )


def _check_metadata(facts: dict[str, str]) -> None:
    for key in ("schema", "model", "latent_size", "classes", "value_range"):
        if key not in facts:
            raise _BrokenPromiseError(f"its metadata lack the key {key}")
    if facts["schema"].split(".")[0] != SCHEMA.split(".")[0]:
        raise _BrokenPromiseError(
            f"its metadata have schema {_short(facts['schema'])}, and this mnistgen reads {SCHEMA}"
        )
    if not re.fullmatch(NAME, facts["model"]):
        raise _BrokenPromiseError(
            f"its metadata's model {_short(facts['model'])} is no name of letters, digits and ._+-"
        )
    try:
        value_range = json.loads(facts["value_range"])
    except (ValueError, RecursionError):
        value_range = None
    if value_range != [0, 1]:
        raise _BrokenPromiseError(
            f"its metadata's value_range is {_short(facts['value_range'])}, and [0.0, 1.0] would be right"
        )


def _whole(facts: dict[str, str], key: str, least: int, most: int) -> int:
    if not re.fullmatch("[0-9]{1,6}", facts[key]) or not least <= int(facts[key]) <= most:
        raise _BrokenPromiseError(f"its metadata's {key} is {_short(facts[key])}, and {least} to {most} would be right")
    return int(facts[key])


def _check_shapes(what: str, given: list[Any], wanted: dict[str, list[str | int]]) -> None:
    """Raise unless the session's inputs or outputs are those `wanted`, float32, the first dimension free."""
    shapes = {
        each.name: ["N" if i == 0 and not isinstance(d, int) else d for i, d in enumerate(each.shape)] for each in given
    }
    if shapes != wanted or any(each.type != _FLOAT for each in given):
        told = ", ".join(f"{each.name} {each.type} {each.shape}" for each in given)
        right = ", ".join(f"{name} {_FLOAT} {shape}" for name, shape in wanted.items())
        raise _BrokenPromiseError(f"its {what} are {_short(told, 200)}, and {right} would be right")


def _try(session: Any, model: Model) -> None:
    """Draw two digits; raise unless they are two, finite, and in [0, 1]."""
    feed = {"z": latents(2, model.latent_size, seed=0)}
    if model.classes:
        feed["label"] = one_hot(np.arange(2), model.classes)
    try:
        images = run_session(session, feed)
    except Exception as error:  # onnxruntime's exceptions have no common base of their own
        raise _BrokenPromiseError(f"it fails to draw two digits ({_short(str(error), 200)})") from error
    least, greatest = float(images.min()), float(images.max())
    if images.shape != (2, 1, 28, 28) or not 0 <= least <= greatest <= 1:  # NaN is not, either
        raise _BrokenPromiseError(
            f"its image holds values from {least:.3g} to {greatest:.3g}, and 0 to 1 would be right"
        )


def _short(text: str, most: int = 40) -> str:
    return repr(text if len(text) <= most else f"{text[:most]}…")
