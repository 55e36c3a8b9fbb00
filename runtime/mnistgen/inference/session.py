"""ONNX Runtime: found, imported without telemetry, and opened on the device that was asked for."""

import contextlib
import ctypes
import io
import os
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import numpy as np
from numpy.typing import NDArray

from mnistgen.errors import ArtifactError, DeviceError, InputError, MissingPackageError

if TYPE_CHECKING:
    from mnistgen.inference.cuda import Fault

DEVICES = ("auto", "cpu", "gpu", "cuda")
"""Where a model can run; "cuda" is another word for "gpu"."""
CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
Feed = dict[str, NDArray[np.float32]]
"""Inputs of a run, (n, width) each, by name."""
_WARNING, _FATAL = 2, 4  # severities of ONNX Runtime's log


def open_session(model: bytes, device: str, threads: int = 1) -> Any:
    """An onnxruntime.InferenceSession of `model` on `device`: "cpu", "gpu", or "auto" for the GPU if it can be used.

    On the CPU, `threads` share out the work of each run; with one, a run is done by the thread that calls it. Raises
    InputError for another device, MissingPackageError without ONNX Runtime, DeviceError where "gpu" cannot be had, and
    ArtifactError where ONNX Runtime refuses the model.
    """
    session, _ = open_device(model, device, threads)
    return session


def open_device(model: bytes, device: str, threads: int = 1) -> "tuple[Any, Fault | None]":
    """The session of `open_session`, and why it is on the CPU where "auto" tried a GPU in vain."""
    check_device(device)
    runtime = _import_runtime()
    for_gpu = CUDA in runtime.get_available_providers()  # whether it is built for one; there may be none
    if device == "cpu" or (device == "auto" and not for_gpu):
        return _session(runtime, model, [CPU], threads), None
    session, printed = _cuda_session(runtime, model, threads) if for_gpu else (None, "")
    if session and session.get_providers()[0] == CUDA:
        return session, None
    from mnistgen.inference import cuda  # here, since only a failure needs it

    fault = cuda.diagnose(runtime, for_gpu, printed)
    if device != "auto":
        raise DeviceError(str(fault))
    return session, fault


def run_session(session: Any, feed: Feed) -> NDArray[np.float32]:
    """The images (n, 1, 28, 28) of one run."""
    images: NDArray[np.float32]
    (images,) = session.run(["image"], feed)
    return images


def run_bound(session: Any, feed: Feed) -> NDArray[np.float32]:
    """The same, by I/O binding: the device writes the images to where they are wanted, with no copy between."""
    images = np.empty((len(feed["z"]), 1, 28, 28), dtype=np.float32)
    binding = session.io_binding()
    for name, value in feed.items():
        binding.bind_cpu_input(name, value)
    binding.bind_output("image", "cpu", 0, np.float32, images.shape, images.ctypes.data)
    session.run_with_iobinding(binding)
    return images


def check_device(device: str) -> None:
    """Raise InputError unless `device` is one of DEVICES."""
    if device not in DEVICES:
        raise InputError(f"There is no device {device!r}: choose one of {', '.join(DEVICES)}.")


def version() -> str:
    """ONNX Runtime's; raises MissingPackageError without it."""
    return str(_import_runtime().__version__)


def _import_runtime() -> Any:
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read when it is imported
    try:
        import onnxruntime

        _ = onnxruntime.InferenceSession  # what is left where one of two builds was uninstalled has none
    except Exception as error:  # a damaged package raises what it likes
        from mnistgen.inference import cuda

        raise MissingPackageError(
            f"ONNX Runtime cannot be imported ({error}): {cuda.install('cpu')}, or 'mnistgen[gpu]' for an NVIDIA GPU."
        ) from error
    return onnxruntime


def _cuda_session(runtime: Any, model: bytes, threads: int) -> tuple[Any, str]:
    """A session on CUDA, or on the CPU where CUDA does not start, and what ONNX Runtime printed meanwhile."""
    printed = io.StringIO()
    runtime.set_default_logger_severity(_FATAL)
    try:
        with contextlib.redirect_stdout(printed):  # the only place where it tells what it misses
            if hasattr(runtime, "preload_dlls"):  # since ONNX Runtime 1.21
                runtime.preload_dlls()  # the CUDA and cuDNN libraries that the gpu extra installs
            # Without TF32, whose rounding could move a pixel by more than the grey level that contract C4 allows.
            session = _session(runtime, model, [(CUDA, {"use_tf32": "0"}), CPU], threads)
    finally:
        runtime.set_default_logger_severity(_WARNING)  # ONNX Runtime's default
    session.disable_fallback()  # a run that fails on the GPU shall fail, not go on elsewhere
    return session, printed.getvalue()


def _session(runtime: Any, model: bytes, providers: list[Any], threads: int = 1) -> Any:
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.force_spinning_stop", "1")  # no thread spins between runs
    # A model is one file (contract C2): weights beside it, which no SHA-256 covers, are not found where nothing can be.
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", os.devnull)
    options.log_severity_level = _FATAL  # what goes wrong is told by our own errors
    try:
        session = runtime.InferenceSession(model, options, providers=providers)
    except Exception as error:  # onnxruntime's exceptions have no common base of their own
        raise ArtifactError(f"ONNX Runtime {runtime.__version__} cannot open the model: {error}") from error
    if threads > 1:
        _threaded.add(session)
    return session


_threaded: WeakSet[Any] = WeakSet()
"""Sessions with threads of their own, which a forked child inherits without these threads."""


def _abandon_inherited() -> None:
    """Keep a child from taking them down when it ends: it would wait for threads that do not exist."""
    for session in _threaded:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(session))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_abandon_inherited)
