"""Why CUDA cannot be used, and the command that mends it."""

import ctypes
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.metadata import Distribution

_ON_WINDOWS = sys.platform == "win32"
_DRIVER = "nvcuda.dll" if _ON_WINDOWS else "libcuda.so.1"
_LIBRARY = "onnxruntime_providers_cuda.dll" if _ON_WINDOWS else "libonnxruntime_providers_cuda.so"
"""What a build of ONNX Runtime for the GPU has of CUDA; it needs the libraries of CUDA and the driver to be loaded."""
_OR_CPU = ", or choose the device cpu"


@dataclass(frozen=True)
class Fault:
    """Something that keeps CUDA from being used."""

    code: str
    """Its name in docs/doctor.md."""
    sentence: str
    """What is wrong, without a full stop."""
    remedy: str
    """What to do."""

    def __str__(self) -> str:
        return f"{self.sentence}: {self.remedy}."


def builds() -> list[str]:
    """Names of the installed distributions that hold ONNX Runtime, such as "onnxruntime"; two overwrite each other."""
    from importlib.metadata import distributions  # here, since only a failure needs it

    holding = [dist for dist in distributions() if _holds_runtime(dist)]
    folders = [dist.locate_file("") for dist in holding]
    # Python imports from the first folder; what another one holds is hidden, not overwritten.
    return sorted(
        {dist.metadata["Name"] for dist, folder in zip(holding, folders, strict=True) if folder == folders[0]}
    )


def _holds_runtime(dist: "Distribution") -> bool:
    """Whether it installs the package onnxruntime, as onnxruntime-extensions, for one, does not."""
    likely = (dist.metadata["Name"] or "").startswith(("onnxruntime", "ort-"))
    return likely and any(file.as_posix() == "onnxruntime/__init__.py" for file in dist.files or ())


def install(extra: str) -> str:
    """The command that puts one build, "cpu" or "gpu", in the place of whatever is installed."""
    installed = builds()
    remove = f"pip uninstall -y {' '.join(installed)} && " if installed else ""
    return f"{remove}pip install 'mnistgen[{extra}]'"


def mixed() -> Fault | None:
    """The fault that several builds of ONNX Runtime are installed over each other, or None."""
    installed = builds()
    if len(installed) < 2:
        return None
    extra = "gpu" if _load_error(_DRIVER) is None else "cpu"
    return Fault("builds-mixed", f"{' and '.join(installed)} are installed over each other", install(extra))


def diagnose(runtime: Any, for_gpu: bool, printed: str = "") -> Fault:
    """Why `runtime`, the module onnxruntime, gave no session on CUDA.

    `for_gpu` is whether it is a build for the GPU, `printed` what it printed while it tried.
    """
    if sys.platform == "darwin":
        return Fault("cuda-not-built", "There is no CUDA on macOS", "choose the device cpu")
    if fault := mixed():
        return Fault(fault.code, fault.sentence, install("gpu") + _OR_CPU)
    if not for_gpu:
        return Fault("cuda-not-built", "The installed ONNX Runtime is built for the CPU only", install("gpu") + _OR_CPU)
    if _load_error(_DRIVER) is not None:
        return Fault(
            "driver-missing",
            f"There is no NVIDIA driver ({_DRIVER} cannot be loaded)",
            "install the driver of your GPU, or hand the GPU to the container (docker run --gpus all)" + _OR_CPU,
        )
    refusal = _load_error(str(Path(runtime.__file__).parent / "capi" / _LIBRARY))
    missing = _missing_libraries(refusal, printed) if refusal else []
    if missing:
        return Fault(
            "libraries-missing",
            f"Libraries of CUDA or cuDNN are missing ({', '.join(missing)})",
            "pip install 'mnistgen[gpu]'" + _OR_CPU,
        )
    version = getattr(runtime, "cuda_version", "")
    return Fault(
        "cuda-failed",
        f"ONNX Runtime could not start CUDA ({_first_reason(refusal or printed)})",
        f"see that nvidia-smi lists a GPU, and that its driver is new enough for CUDA {version}".rstrip() + _OR_CPU,
    )


def _load_error(library: str) -> str | None:
    """What the system says when it is to load `library`, or None if it does load it."""
    try:
        ctypes.CDLL(library)
    except OSError as error:
        return str(error)
    return None


def _missing_libraries(refusal: str, printed: str) -> list[str]:
    """Libraries that could not be found: the first that the system misses, and all that ONNX Runtime looked for."""
    first = re.findall(r"^(\S+): cannot open shared object file", refusal)
    looked_for = re.findall(r"^Failed to load ([^\s/\\:]+): ", printed, re.MULTILINE)
    return list(dict.fromkeys(first + looked_for))


def _first_reason(text: str) -> str:
    """The words that tell the cause, out of the lines of source code that ONNX Runtime puts around them."""
    told = re.search(r"EP Error (.*?) when using", text, re.DOTALL)
    text = told[1] if told else text
    failure = re.search(r"\bCU[A-Z]+ failure \d+: [^;\n]+", text)
    first_line = next(iter(text.strip().splitlines()), "it does not say why")
    return failure[0].strip() if failure else first_line
