"""Execution providers in packages of their own, such as onnxruntime-ep-webgpu: GPUs of all vendors.

ONNX Runtime 1.23 and later loads such a package's library, and lists the devices that it can use.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from mnistgen.errors import DeviceError, MissingPackageError

_OR_CPU = ", or use the device cpu"


def add_plugin(runtime: Any, options: Any, package: str, device: str) -> str:
    """Let a session run on the devices of a plugin.

    Args:
        runtime: The module onnxruntime.
        options: The session's `SessionOptions`.
        package: Name of the plugin's module.
        device: The requested device.

    Returns:
        ONNX Runtime's name of the execution provider.

    Raises:
        MissingPackageError: The package is not installed, or ONNX Runtime is too old for it.
        DeviceError: The library cannot be loaded, or finds no device.
    """
    if not hasattr(options, "add_provider_for_devices"):
        raise MissingPackageError(
            f"ONNX Runtime {runtime.__version__} has no plugins",
            code="runtime-too-old",
            remedy=f"Upgrade it to 1.23 or later{_OR_CPU}",
        )
    name = package.replace("_", "-")
    if find_spec(package) is None:
        raise MissingPackageError(
            f"The device {device} needs the package {name}",
            code="package-missing",
            remedy=f"Run pip install {name}{_OR_CPU}",
        )
    try:
        plugin = import_module(package)
        provider = str(plugin.get_ep_name())
        found = _devices(runtime, provider)
        if not found:
            runtime.register_execution_provider_library(provider, plugin.get_library_path())
            found = _devices(runtime, provider)
    except Exception as error:  # a plugin can raise anything
        raise DeviceError(
            f"The plugin {name} cannot be loaded ({error})",
            code="plugin-failed",
            remedy=f"Install versions of onnxruntime and {name} that fit each other{_OR_CPU}",
        ) from error
    if not found:
        raise DeviceError(
            f"The plugin {name} finds no device that it can use",
            code="plugin-without-device",
            remedy=f"Check the GPU and its driver{_OR_CPU}",
        )
    options.add_provider_for_devices(found[:1], {})
    return provider


def _devices(runtime: Any, provider: str) -> list[Any]:
    return [device for device in runtime.get_ep_devices() if device.ep_name == provider]
