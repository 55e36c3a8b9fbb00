"""ONNX Runtime: found, imported without telemetry, and opened on the device that was asked for."""

import contextlib
import io
import os
from typing import Any

from mnistgen.errors import ArtifactError, DeviceError, InputError, MissingPackageError

DEVICES = ("auto", "cpu", "gpu")
CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
_WARNING, _FATAL = 2, 4  # severities of ONNX Runtime's log


def open_session(model: bytes, device: str) -> Any:
    """An onnxruntime.InferenceSession of `model` on `device`: "cpu", "gpu", or "auto" for the GPU if it can be used.

    Raises InputError for another device, MissingPackageError without ONNX Runtime, DeviceError where "gpu" cannot be
    had, and ArtifactError where ONNX Runtime refuses the model.
    """
    check_device(device)
    runtime = _import_runtime()
    if device == "cpu":
        return _session(runtime, model, [CPU])
    if CUDA not in runtime.get_available_providers():
        if device == "auto":
            return _session(runtime, model, [CPU])
        raise DeviceError(
            "The installed ONNX Runtime is built for the CPU only: pip uninstall -y onnxruntime && "
            "pip install 'mnistgen[gpu]', or choose the device cpu."
        )
    session = _cuda_session(runtime, model)
    if device == "gpu" and session.get_providers()[0] != CUDA:
        raise DeviceError(
            "ONNX Runtime could not start CUDA (no NVIDIA GPU, or no driver or libraries that fit): see that "
            "nvidia-smi lists a GPU and pip install 'mnistgen[gpu]', or choose the device cpu."
        )
    return session


def check_device(device: str) -> None:
    """Raise InputError unless `device` is one of DEVICES."""
    if device not in DEVICES:
        raise InputError(f"There is no device {device!r}: choose one of {', '.join(DEVICES)}.")


def _import_runtime() -> Any:
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read when it is imported
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingPackageError(
            f"ONNX Runtime cannot be imported ({error}): pip install 'mnistgen[cpu]', or 'mnistgen[gpu]' for an "
            "NVIDIA GPU."
        ) from error
    return onnxruntime


def _cuda_session(runtime: Any, model: bytes) -> Any:
    """A session on CUDA, or on the CPU where CUDA does not start; silently, as the caller tells what came of it."""
    runtime.set_default_logger_severity(_FATAL)
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # where it prints each library that it does not find
            runtime.preload_dlls()  # the CUDA and cuDNN libraries that the gpu extra installs
        # Without TF32, whose rounding could move a pixel by more than the grey level that contract C4 allows.
        return _session(runtime, model, [(CUDA, {"use_tf32": "0"}), CPU])
    finally:
        runtime.set_default_logger_severity(_WARNING)  # ONNX Runtime's default


def _session(runtime: Any, model: bytes, providers: list[Any]) -> Any:
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1  # the generator runs several at once; a pool's threads would not survive a fork
    options.log_severity_level = _FATAL  # what goes wrong is told by our own errors
    try:
        return runtime.InferenceSession(model, options, providers=providers)
    except Exception as error:  # onnxruntime's exceptions have no common base of their own
        raise ArtifactError(f"ONNX Runtime {runtime.__version__} cannot open the model: {error}") from error
