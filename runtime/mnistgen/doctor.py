"""What of an installation works: proved where it can be, and with the remedy where it does not."""

import os
import platform
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mnistgen import __version__
from mnistgen.errors import ArtifactError, MissingPackageError, MnistgenError
from mnistgen.generator import Generator
from mnistgen.inference import cuda
from mnistgen.inference.cpu import usable_cores
from mnistgen.inference.session import CUDA, open_device, open_session, version
from mnistgen.manifest import Manifest, Model, artifacts_folder
from mnistgen.verify import Verifier

OK, WARNING, FAULT = "ok", "warning", "fault"
"""Levels of a check: all is well, not all is well but digits can be made, they cannot."""
_INK = 128
"""Grey level that a pixel of any digit reaches."""


@dataclass(frozen=True)
class Check:
    """What one look at the installation showed."""

    name: str
    """What was looked at, such as "models"."""
    sentence: str
    """What was found, without a full stop."""
    level: str = OK
    code: str = ""
    """Name of what is wrong, which docs/doctor.md explains; empty where nothing is."""
    remedy: str = ""
    """What to do about it."""


@dataclass(frozen=True)
class Report:
    """What is true of the installation."""

    versions: dict[str, str | None]
    """Of Python, the packages and the platform; None for a package that is missing or cannot be imported."""
    threads: int
    """Cores that this process may use."""
    cores: int | None
    """Cores of the machine, as far as the system tells."""
    checks: tuple[Check, ...]

    @property
    def able(self) -> bool:
        """Whether digits can be made."""
        return all(check.level != FAULT for check in self.checks)


def examine(artifacts: str | Path | None = None) -> Report:
    """Look at the installation, and at the models in the folder `artifacts`, or those that come with mnistgen.

    What is wrong stands in the report; nothing is raised for it.

    >>> [check.code for check in doctor.examine().checks if check.code]
    """
    threads, cores = usable_cores(), os.cpu_count()
    counted = Check("threads", f"{threads} of the machine's {cores or 'unknown'} cores may be used")
    checks = [counted, _telemetry(), _pillow(), _runtime()]  # the last imports ONNX Runtime
    runs = checks[-1].level != FAULT
    checks += _models(Path(artifacts or artifacts_folder()), runs)
    return Report(_versions(runs), threads, cores, tuple(checks))


def _versions(runs: bool) -> dict[str, str | None]:
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    versions: dict[str, str | None] = {"python": platform.python_version(), "mnistgen": __version__}
    for package in ("numpy", "pillow", "click"):
        try:
            versions[package] = installed(package)
        except PackageNotFoundError:
            versions[package] = None
    return {**versions, "onnxruntime": version() if runs else None, "platform": platform.platform()}


def _telemetry() -> Check:
    if "onnxruntime" in sys.modules and os.environ.get("ORT_DISABLE_TELEMETRY") != "1":
        sentence = "ONNX Runtime was imported before mnistgen could switch its telemetry off"
        return Check("telemetry", sentence, WARNING, "telemetry-on", "set ORT_DISABLE_TELEMETRY=1 where Python starts")
    return Check("telemetry", "off")


def _pillow() -> Check:
    try:
        import PIL.Image
    except Exception as error:  # a damaged package raises what it likes
        sentence = f"Pillow, which writes the pictures, cannot be imported ({error})"
        return Check("pillow", sentence, FAULT, "pillow-missing", "pip install --force-reinstall pillow")
    return Check("pillow", f"Pillow {PIL.__version__} writes the pictures")


def _runtime() -> Check:
    try:
        found = version()
    except MissingPackageError as error:
        return _failed("onnxruntime", "runtime-damaged" if cuda.builds() else "runtime-missing", error)
    if fault := cuda.mixed():
        return _warning("onnxruntime", fault)
    return Check("onnxruntime", f"ONNX Runtime {found}, installed as {_build()}")


def _build() -> str:
    """The package that ONNX Runtime was installed as, or is to be."""
    return next(iter(cuda.builds()), "onnxruntime")


def _models(folder: Path, runs: bool) -> list[Check]:
    """The models, from their manifest to the digits that they draw where ONNX Runtime `runs`."""
    try:
        manifest = Manifest(folder)
    except ArtifactError as error:
        return [_failed("manifest", _code_of_manifest(error), error)]
    if not manifest.models:
        missing = ArtifactError(f"{manifest.path} lists no model: install mnistgen anew.")
        return [_failed("manifest", "manifest-damaged", missing)]
    checks = [Check("manifest", f"{manifest.path} lists {', '.join(manifest.models)}")]
    intact = [model for model in manifest.models.values() if _passes(_hash(manifest, model), checks)]
    if len(intact) == len(manifest.models):
        checks.append(Check("models", "each file has the SHA-256 of the manifest"))
    if not runs:
        return checks
    opened = [model for model in intact if _passes(_contract(manifest, model), checks)]
    if opened and opened == intact:
        forms = sorted({f"opset {model.opset} with IR {model.ir_version}" for model in opened})
        checks.append(Check("contract", f"ONNX Runtime takes {' and '.join(forms)}, inputs and outputs as promised"))
    checks += _verifier(manifest)
    return [*checks, *_devices(manifest, opened)] if opened else checks


def _code_of_manifest(error: ArtifactError) -> str:
    if error.__cause__ is None:  # of all reasons only the schema's version has no other error beneath
        return "schema-unknown"
    return "manifest-missing" if isinstance(error.__cause__, FileNotFoundError) else "manifest-damaged"


def _hash(manifest: Manifest, model: Model) -> Check | None:
    try:
        manifest.read_bytes(model)
    except ArtifactError as error:
        return _failed("models", "model-missing" if error.__cause__ else "model-damaged", error)
    return None


def _contract(manifest: Manifest, model: Model) -> Check | None:
    """Whether the installed ONNX Runtime opens the model, and finds the inputs and outputs that are promised."""
    try:
        session = open_session(manifest.read_bytes(model), "cpu")
    except ArtifactError as error:
        return _refused(model, str(error))
    if (_shapes(session.get_inputs()), _shapes(session.get_outputs())) != (model.inputs, model.outputs):
        broken = ArtifactError(
            f"The {model.name} has not the inputs and outputs of the manifest: install mnistgen anew."
        )
        return _failed("contract", "contract-broken", broken)
    return None


def _verifier(manifest: Manifest) -> list[Check]:
    """Whether digits can be read back; they can be made without."""
    if not manifest.verifier:
        return []
    try:
        Verifier(manifest).read(np.zeros((1, 28, 28), np.uint8))
    except MnistgenError as error:
        return [replace(_failed("verifier", "verifier-unusable", error), level=WARNING)]
    return [Check("verifier", "digits can be read back")]


def _refused(model: Model, why: str) -> Check:
    upgrade = f"pip install --upgrade {_build()}"
    for words, code, asked in (
        ("IR version", "ir-unsupported", f"IR version {model.ir_version}"),
        ("opset", "opset-unsupported", f"opset {model.opset}"),
    ):
        if words in why:
            sentence = f"ONNX Runtime {version()} is too old for the {model.name}, which has {asked}"
            return Check("contract", sentence, FAULT, code, upgrade)
    return Check("contract", f"The {model.name}: {why}", FAULT, "model-refused", upgrade)


def _shapes(tensors: Iterable[Any]) -> dict[str, list[str | int]]:
    return {tensor.name: tensor.shape for tensor in tensors}


def _devices(manifest: Manifest, models: list[Model]) -> list[Check]:
    """A digit by each model on each device that can be used; why a GPU cannot, if ONNX Runtime is built for it."""
    checks = [_digits(manifest, models, "cpu", FAULT)]
    session, fault = open_device(manifest.read_bytes(models[0]), "auto")
    if fault:
        checks.append(_warning("gpu", fault))
    elif session.get_providers()[0] == CUDA:
        checks.append(_digits(manifest, models, "gpu", WARNING))
    return checks


def _digits(manifest: Manifest, models: list[Model], device: str, level: str) -> Check:
    remedy = f"pip install --force-reinstall {_build()}"
    for model in models:
        try:
            generator = Generator(manifest, model.name, device)
            blank = generator.generate().max() < _INK
        except MnistgenError as error:
            return Check(device, str(error).removesuffix("."), level, "digit-failed", remedy)
        if blank:
            return Check(device, f"The {model.name} draws nothing on the {device}", level, "digit-failed", remedy)
    return Check(device, f"{generator.provider} drew a digit by {', '.join(model.name for model in models)}")


def _passes(failure: Check | None, checks: list[Check]) -> bool:
    """Whether there is no `failure`, which else joins the `checks`."""
    if failure:
        checks.append(failure)
    return failure is None


def _failed(name: str, code: str, error: MnistgenError) -> Check:
    """The fault that `error` tells: what was wrong, a colon, what to do."""
    sentence, _, remedy = str(error).removesuffix(".").rpartition(": ")
    return Check(name, sentence, FAULT, code, remedy)


def _warning(name: str, fault: cuda.Fault) -> Check:
    return Check(name, fault.sentence, WARNING, fault.code, fault.remedy)
