"""Diagnose why CUDA cannot be used."""

import ctypes
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnistgen.errors import install_command

if TYPE_CHECKING:
    from importlib.metadata import Distribution

_ON_WINDOWS = sys.platform == "win32"
_DRIVER = "nvcuda.dll" if _ON_WINDOWS else "libcuda.so.1"
_LIBRARY = "onnxruntime_providers_cuda.dll" if _ON_WINDOWS else "libonnxruntime_providers_cuda.so"
"""The CUDA part of an ONNX Runtime build for the GPU; loading it needs the CUDA libraries and the driver."""
_OR_CPU = ", or use the device cpu"


@dataclass(frozen=True)
class Fault:
    """A reason why CUDA cannot be used."""

    code: str
    """Name of the problem, one of those in docs/errors.md."""
    problem: str
    """What is wrong, without a full stop."""
    remedy: str
    """What to do, without a full stop."""

    def __str__(self) -> str:
        return f"{self.problem}. {self.remedy}."


def builds() -> list[str]:
    """Return the installed distributions of ONNX Runtime, such as ["onnxruntime"]; several overwrite each other."""
    from importlib.metadata import distributions  # lazy: only a failure needs it

    holding = [dist for dist in distributions() if _holds_runtime(dist)]
    folders = [dist.locate_file("") for dist in holding]
    # Python imports from the first folder; a build in another folder is hidden, not overwritten.
    return sorted(
        {dist.metadata["Name"] for dist, folder in zip(holding, folders, strict=True) if folder == folders[0]}
    )


def _holds_runtime(dist: "Distribution") -> bool:
    """Return whether `dist` installs the package onnxruntime, unlike onnxruntime-extensions for example."""
    likely = (dist.metadata["Name"] or "").startswith(("onnxruntime", "ort-"))
    return likely and any(file.as_posix() == "onnxruntime/__init__.py" for file in dist.files or ())


def install(extra: str) -> str:
    """Return the command that replaces all installed builds by one: "cpu" or "gpu"."""
    installed = builds()
    remove = f"pip uninstall -y {' '.join(installed)} && " if installed else ""
    return f"{remove}{install_command(extra)}"


def mixed() -> Fault | None:
    """Return the fault that several builds of ONNX Runtime overwrite each other, or None."""
    installed = builds()
    if len(installed) < 2:
        return None
    extra = "gpu" if _load_error(_DRIVER) is None else "cpu"
    return Fault("builds-mixed", f"{' and '.join(installed)} overwrite each other", f"Run {install(extra)}")


def diagnose(runtime: Any, for_gpu: bool, printed: str = "") -> Fault:
    """Return why no session could be opened on CUDA.

    Args:
        runtime: The module onnxruntime.
        for_gpu: Whether it is a build for the GPU.
        printed: What it printed while it tried.
    """
    if sys.platform == "darwin":
        return Fault("cuda-not-built", "macOS has no CUDA", "Use the device cpu")
    if fault := mixed():
        return Fault(fault.code, fault.problem, f"Run {install('gpu')}{_OR_CPU}")
    if not for_gpu:
        return Fault(
            "cuda-not-built", "The installed ONNX Runtime is built for the CPU only", f"Run {install('gpu')}{_OR_CPU}"
        )
    if _load_error(_DRIVER) is not None:
        return Fault(
            "driver-missing",
            f"No NVIDIA driver is installed ({_DRIVER} cannot be loaded)",
            f"Install the GPU's driver, give the container access to the GPU (docker run --gpus all){_OR_CPU}",
        )
    refusal = _load_error(str(Path(runtime.__file__).parent / "capi" / _LIBRARY))
    missing = _missing_libraries(refusal, printed) if refusal else []
    if missing:
        return Fault(
            "libraries-missing",
            f"CUDA or cuDNN libraries are missing ({', '.join(missing)})",
            f"Run {install_command('gpu')}{_OR_CPU}",
        )
    version = getattr(runtime, "cuda_version", "")
    return Fault(
        "cuda-failed",
        f"ONNX Runtime could not start CUDA ({_first_reason(refusal or printed)})",
        f"Check that nvidia-smi lists a GPU and that its driver supports CUDA {version}".rstrip() + _OR_CPU,
    )


def _load_error(library: str) -> str | None:
    """Return the system's message if `library` cannot be loaded, else None."""
    try:
        ctypes.CDLL(library)
    except OSError as error:
        return str(error)
    return None


def _missing_libraries(refusal: str, printed: str) -> list[str]:
    """Return the libraries not found: the first that the system misses, and those that ONNX Runtime looked for."""
    first = re.findall(r"^(\S+): cannot open shared object file", refusal)
    looked_for = re.findall(r"^Failed to load ([^\s/\\:]+): ", printed, re.MULTILINE)
    return list(dict.fromkeys(first + looked_for))


def _first_reason(text: str) -> str:
    """Return the cause from ONNX Runtime's text, without the lines of source code around it."""
    error = re.search(r"EP Error (.*?) when using", text, re.DOTALL)
    text = error[1] if error else text
    failure = re.search(r"\bCU[A-Z]+ failure \d+: [^;\n]+", text)
    first_line = next(iter(text.strip().splitlines()), "it gives no reason")
    return failure[0].strip() if failure else first_line
