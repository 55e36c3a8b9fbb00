"""Import ONNX Runtime without telemetry and open sessions on the requested device."""

import contextlib
import ctypes
import io
import os
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import numpy as np
from numpy.typing import NDArray

from mnistgen.errors import ArtifactError, DeviceError, InputError, MissingPackageError, no_memory
from mnistgen.forking import guard
from mnistgen.inference.onnx_scan import check_self_contained
from mnistgen.interrupts import deferred
from mnistgen.memory import is_exhausted
from mnistgen.validation import shown

if TYPE_CHECKING:
    from mnistgen.inference.cuda import Fault

PLUGINS = {"webgpu": "onnxruntime_ep_webgpu", "openvino": "onnxruntime_ep_openvino"}
"""Package of each device that is a plugin of ONNX Runtime."""
DEVICES = ("auto", "cpu", "gpu", "cuda", *PLUGINS)
"""Where a model can run; "cuda" is a synonym of "gpu"."""
CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
# TF32's rounding could move a pixel by more than the grey level that contract C4 allows. The default search for
# cuDNN's algorithms times them, so two sessions can choose differently.
CUDA_OPTIONS = {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"}
"""Options of the CUDA provider."""
Inputs = dict[str, NDArray[np.float32]]
"""Inputs of a run by name, (n, width) each."""
RUN_SECONDS = 60.0
"""Seconds that a run of a foreign model may take by default."""
MOST_RUN_SECONDS = 1_000_000
_WARNING, _FATAL = 2, 4  # log severities of ONNX Runtime


def open_session(model: bytes, device: str, threads: int = 1) -> Any:
    """Open an `onnxruntime.InferenceSession`.

    Args:
        model: An ONNX file's bytes.
        device: "cpu", "gpu" (or "cuda"), "auto" for the GPU if it can be used, or a plugin (one of PLUGINS).
        threads: Threads that share each run on the CPU; with 1, the calling thread does it.

    Raises:
        InputError: The device is unknown.
        MissingPackageError: ONNX Runtime or a plugin is not installed.
        DeviceError: A GPU or plugin was requested and cannot be used.
        ArtifactError: ONNX Runtime refuses the model.
    """
    session, _ = open_device(model, device, threads)
    return session


def open_device(model: bytes, device: str, threads: int = 1) -> "tuple[Any, Fault | None]":
    """Open a session as `open_session` does; also return why "auto" could not use a GPU that it expected."""
    check_device(device)
    with guard:
        return _open_device(model, device, threads)


def _open_device(model: bytes, device: str, threads: int) -> "tuple[Any, Fault | None]":
    check_self_contained(model)
    runtime = _import_runtime()
    if device in PLUGINS:
        return _plugin_session(runtime, model, device), None
    for_gpu = CUDA in runtime.get_available_providers()  # compiled in; there may still be no GPU
    if device == "cpu" or (device == "auto" and not for_gpu):
        return _session(runtime, model, [CPU], threads), None
    session, printed = _cuda_session(runtime, model, threads) if for_gpu else (None, "")
    if session and session.get_providers()[0] == CUDA:
        return session, None
    from mnistgen.inference import cuda  # lazy: only a failure needs it

    fault = cuda.diagnose(runtime, for_gpu, printed)
    if device != "auto":
        raise DeviceError(fault.problem, code=fault.code, remedy=fault.remedy)
    return session, fault


def run_session(session: Any, inputs: Inputs, options: Any = None) -> NDArray[np.float32]:
    """Run a model once with ONNX Runtime's `RunOptions`; return the images (n, 1, 28, 28)."""
    images: NDArray[np.float32]
    (images,) = session.run(["image"], inputs, options)
    return images


def run_bound(session: Any, inputs: Inputs, options: Any = None) -> NDArray[np.float32]:
    """Run a model once with I/O binding: the device writes the images to their place without another copy."""
    images = np.empty((len(inputs["z"]), 1, 28, 28), dtype=np.float32)
    binding = session.io_binding()
    for name, value in inputs.items():
        binding.bind_cpu_input(name, value)
    binding.bind_output("image", "cpu", 0, np.float32, images.shape, images.ctypes.data)
    session.run_with_iobinding(binding, options)
    return images


def run_options() -> Any:
    """Return new options of a run; setting `terminate` ends the run before its next operator."""
    return _import_runtime().RunOptions()


_ROUNDING = 1e-6
"""How far rounding may carry values out of [0, 1]; the sigmoid of ONNX Runtime before 1.23 returns -6e-8 on ARM."""


def check_images(images: NDArray[np.float32], n: int, name: str) -> None:
    """Raise ArtifactError unless `images` is (n, 1, 28, 28) with values in [0, 1]; clip what rounding has left outside.

    A model can pass the checks at loading and still break the contract for another batch size. The check takes less
    than a hundredth of a run.
    """
    if images.shape != (n, 1, 28, 28):
        problem = f"The output of the {name} has shape {images.shape}; expected {(n, 1, 28, 28)}"
    else:
        least, greatest = images.min(), images.max()
        if 0 <= least <= greatest <= 1:  # false for NaN
            return
        if -_ROUNDING <= least <= greatest <= 1 + _ROUNDING:
            np.clip(images, 0, 1, out=images)
            return
        problem = f"The output values of the {name} range from {least:.3g} to {greatest:.3g}; expected [0, 1]"
    raise ArtifactError(problem, code="model-output-invalid", remedy="Use a model that fulfils docs/contract.md")


def check_device(device: str) -> None:
    """Raise InputError unless `device` is one of DEVICES."""
    if not isinstance(device, str) or device not in DEVICES:
        raise InputError(f"device is {shown(device)}; expected one of {', '.join(DEVICES)}", code="unknown-device")


def device_of(provider: str) -> str:
    """Return the device of an execution provider, such as "gpu" for "CUDAExecutionProvider"."""
    names = ("cpu", *PLUGINS)
    return next((name for name in names if provider.lower().startswith(name)), "gpu")


def version() -> str:
    """Return ONNX Runtime's version; raise MissingPackageError if it is not installed."""
    return str(_import_runtime().__version__)


def _import_runtime() -> Any:
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read at import
    try:
        with deferred():
            import onnxruntime

        _ = onnxruntime.InferenceSession  # missing if one of two builds was uninstalled
    except Exception as error:  # a damaged package can raise anything
        if is_exhausted(error):
            raise no_memory("ONNX Runtime") from error
        from mnistgen.inference import cuda

        raise MissingPackageError(
            f"ONNX Runtime cannot be imported ({error})",
            code="runtime-damaged" if cuda.builds() else "runtime-missing",
            remedy=f"Run {cuda.install('cpu')}, with [gpu] instead of [cpu] for an NVIDIA GPU",
        ) from error
    return onnxruntime


def _cuda_session(runtime: Any, model: bytes, threads: int) -> tuple[Any, str]:
    """Open a session on CUDA, or on the CPU if CUDA does not start; also return what ONNX Runtime printed."""
    printed = io.StringIO()
    runtime.set_default_logger_severity(_FATAL)
    try:
        with contextlib.redirect_stdout(printed):  # the only place where it names missing libraries
            if hasattr(runtime, "preload_dlls"):  # since ONNX Runtime 1.21
                runtime.preload_dlls()  # the CUDA and cuDNN libraries of the gpu extra
            session = _session(runtime, model, [(CUDA, CUDA_OPTIONS), CPU], threads)
    finally:
        runtime.set_default_logger_severity(_WARNING)  # ONNX Runtime's default
    session.disable_fallback()  # a run that fails on the GPU must fail, not continue on the CPU
    return session, printed.getvalue()


def _plugin_session(runtime: Any, model: bytes, device: str) -> Any:
    from mnistgen.inference.plugins import add_plugin  # lazy: few devices are plugins

    options = _options(runtime)
    provider = add_plugin(runtime, options, PLUGINS[device], device)
    session = _open(runtime, runtime.InferenceSession, model, options)
    if provider not in session.get_providers():
        raise DeviceError(
            f"ONNX Runtime does not run the model on {provider}",
            code="plugin-failed",
            remedy="Use another version of the plugin, or use the device cpu",
        )
    session.disable_fallback()
    return session


def _session(runtime: Any, model: bytes, providers: list[Any], threads: int = 1) -> Any:
    open_session = _silent(runtime) if providers == [CPU] else runtime.InferenceSession
    session = _open(runtime, open_session, model, _options(runtime, threads), providers=providers)
    if threads > 1:
        _threaded.add(session)
    return session


def _options(runtime: Any, threads: int = 1) -> Any:
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.force_spinning_stop", "1")  # threads do not spin between runs
    # A second barrier after `check_self_contained`: external data is looked up where nothing can be.
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", os.devnull)
    options.log_severity_level = _FATAL  # our own errors say what went wrong
    return options


def _open(runtime: Any, open_session: Any, *arguments: Any, **options: Any) -> Any:
    """Return `open_session(*arguments, **options)`; raise ArtifactError if ONNX Runtime refuses the model."""
    try:
        return open_session(*arguments, **options)
    except Exception as error:  # onnxruntime's exceptions have no common base class
        raise (
            no_memory("ONNX Runtime") if is_exhausted(error) else _refused(runtime.__version__, str(error))
        ) from error


def _silent(runtime: Any) -> Any:
    """Return a class of sessions that do not try the CPU a second time, which would print a banner to stdout.

    The argument `enable_fallback` exists since ONNX Runtime 1.23 only.
    """
    return type("InferenceSession", (runtime.InferenceSession,), {"_enable_fallback": _NEVER})


_NEVER = property(lambda _: False, lambda *_: None)


def _refused(runtime_version: str, reason: str) -> ArtifactError:
    # ONNX Runtime raises the same class for every reason, so only its text tells them apart.
    codes = {"IR version": "ir-unsupported", "opset": "opset-unsupported"}
    code = next((code for words, code in codes.items() if words in reason), "model-refused")
    problem = f"ONNX Runtime {runtime_version} cannot open the model: {reason}"
    return ArtifactError(problem, code=code, remedy="" if code == "model-refused" else "Upgrade ONNX Runtime")


_threaded: WeakSet[Any] = WeakSet()
"""Sessions with threads of their own, which a forked child inherits without these threads."""


def _keep_inherited() -> None:
    """Keep a forked child from destroying these sessions at exit: it would wait for threads that do not exist."""
    for session in _threaded:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(session))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_keep_inherited)
