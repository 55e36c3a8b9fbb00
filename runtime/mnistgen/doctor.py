"""Check an installation by using it, and suggest a remedy for each problem."""

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
from mnistgen.validation import check_path
from mnistgen.verify import Verifier

OK, WARNING, FAULT = "ok", "warning", "fault"
"""Levels of a check: nothing is wrong, something is wrong but digits can be drawn, digits cannot be drawn."""
_INK = 128
"""Grey level that some pixel of every digit reaches."""


@dataclass(frozen=True)
class Check:
    """The result of one check."""

    name: str
    """What was checked, such as "models"."""
    sentence: str
    """What was found, without a full stop."""
    level: str = OK
    """One of OK, WARNING and FAULT."""
    code: str = ""
    """Name of the problem, one of those in docs/errors.md; empty if there is none."""
    remedy: str = ""
    """What to do, without a full stop."""


@dataclass(frozen=True)
class Report:
    """The state of the installation."""

    versions: dict[str, str | None]
    """Versions of Python, the packages and the platform; None for a package that cannot be imported."""
    threads: int
    """Cores that this process may use."""
    cores: int | None
    """Cores of the machine, if known."""
    checks: tuple[Check, ...]

    @property
    def able(self) -> bool:
        """Whether digits can be drawn."""
        return all(check.level != FAULT for check in self.checks)


def examine(artifacts: str | Path | None = None) -> Report:
    """Check the installation and the models in the folder `artifacts`, by default those that ship with mnistgen.

    Problems are reported, not raised.

    >>> [check.code for check in doctor.examine().checks if check.code]
    """
    threads, cores = usable_cores(), os.cpu_count()
    counted = Check("threads", f"{threads} of {cores or 'an unknown number of'} cores can be used")
    checks = [counted, _telemetry(), _pillow(), _runtime()]  # the last imports ONNX Runtime
    runs = checks[-1].level != FAULT
    checks += _models(artifacts_folder() if artifacts is None else check_path("artifacts", artifacts), runs)
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
        sentence = "ONNX Runtime was imported before mnistgen could disable its telemetry"
        return Check("telemetry", sentence, WARNING, "telemetry-on", "Set ORT_DISABLE_TELEMETRY=1 before Python starts")
    return Check("telemetry", "off")


def _pillow() -> Check:
    try:
        import PIL.Image
    except Exception as error:  # a damaged package can raise anything
        sentence = f"Pillow, which writes images, cannot be imported ({error})"
        return Check("pillow", sentence, FAULT, "pillow-missing", "Run pip install --force-reinstall pillow")
    return Check("pillow", f"Pillow {PIL.__version__} can be imported")


def _runtime() -> Check:
    try:
        found = version()
    except MissingPackageError as error:
        return _failed("onnxruntime", error)
    if fault := cuda.mixed():
        return _warning("onnxruntime", fault)
    return Check("onnxruntime", f"ONNX Runtime {found}, installed as {_build()}")


def _build() -> str:
    """Return the name of the installed build of ONNX Runtime, by default that for the CPU."""
    return next(iter(cuda.builds()), "onnxruntime")


def _models(folder: Path, runs: bool) -> list[Check]:
    """Check the models, from their manifest to, if ONNX Runtime `runs`, the digits that they draw."""
    try:
        manifest = Manifest(folder)
        if not manifest.models:
            raise ArtifactError(
                f"{manifest.path} lists no models", code="manifest-damaged", remedy="Reinstall mnistgen"
            )
    except ArtifactError as error:
        return [_failed("manifest", error)]
    checks = [Check("manifest", f"{manifest.path} lists {', '.join(manifest.models)}")]
    intact = [model for model in manifest.models.values() if _passes(_hash(manifest, model), checks)]
    if len(intact) == len(manifest.models):
        checks.append(Check("models", "the SHA-256 of each file is that of the manifest"))
    if not runs:
        return checks
    opened = [model for model in intact if _passes(_contract(manifest, model), checks)]
    if opened and opened == intact:
        versions = sorted({f"opset {model.opset} and IR {model.ir_version}" for model in opened})
        checks.append(Check("contract", f"ONNX Runtime opens {', '.join(versions)}; inputs and outputs are as listed"))
    checks += _verifier(manifest)
    return [*checks, *_devices(manifest, opened)] if opened else checks


def _hash(manifest: Manifest, model: Model) -> Check | None:
    try:
        manifest.read_bytes(model)
    except ArtifactError as error:
        return _failed("models", error)
    return None


def _contract(manifest: Manifest, model: Model) -> Check | None:
    """Check that ONNX Runtime opens the model, and that its inputs and outputs are those of the manifest."""
    try:
        session = open_session(manifest.read_bytes(model), "cpu")
    except ArtifactError as error:
        return replace(
            _failed("contract", error),
            sentence=f"The {model.name} (opset {model.opset}, IR {model.ir_version}): {error.problem}",
            remedy=f"Run pip install --upgrade {_build()}",
        )
    if (_shapes(session.get_inputs()), _shapes(session.get_outputs())) != (model.inputs, model.outputs):
        broken = f"The inputs or outputs of the {model.name} are not those of the manifest"
        return Check("contract", broken, FAULT, "contract-broken", "Reinstall mnistgen")
    return None


def _verifier(manifest: Manifest) -> list[Check]:
    """Check that digits can be read back; they can be drawn without."""
    if not manifest.verifier:
        return []
    try:
        Verifier(manifest).read(np.zeros((1, 28, 28), np.uint8))
    except MnistgenError as error:
        return [replace(_failed("verifier", error), level=WARNING)]
    return [Check("verifier", "digits can be read back")]


def _shapes(tensors: Iterable[Any]) -> dict[str, list[str | int]]:
    return {tensor.name: tensor.shape for tensor in tensors}


def _devices(manifest: Manifest, models: list[Model]) -> list[Check]:
    """Draw a digit with each model on each usable device; report why a GPU that ONNX Runtime is built for is not."""
    checks = [_digits(manifest, models, "cpu", FAULT)]
    session, fault = open_device(manifest.read_bytes(models[0]), "auto")
    if fault:
        checks.append(_warning("gpu", fault))
    elif session.get_providers()[0] == CUDA:
        checks.append(_digits(manifest, models, "gpu", WARNING))
    return checks


def _digits(manifest: Manifest, models: list[Model], device: str, level: str) -> Check:
    remedy = f"Run pip install --force-reinstall {_build()}"
    for model in models:
        try:
            generator = Generator(manifest, model.name, device)
            blank = generator.generate().max() < _INK
        except MnistgenError as error:
            return Check(device, error.problem, level, "digit-failed", remedy)
        if blank:
            return Check(device, f"The {model.name} draws a blank image", level, "digit-failed", remedy)
    return Check(device, f"{generator.provider} drew a digit with {', '.join(model.name for model in models)}")


def _passes(failure: Check | None, checks: list[Check]) -> bool:
    """Return whether there is no `failure`; add it to `checks` if there is one."""
    if failure:
        checks.append(failure)
    return failure is None


def _failed(name: str, error: MnistgenError) -> Check:
    return Check(name, error.problem, FAULT, error.code, error.remedy)


def _warning(name: str, fault: cuda.Fault) -> Check:
    return Check(name, fault.problem, WARNING, fault.code, fault.remedy)
