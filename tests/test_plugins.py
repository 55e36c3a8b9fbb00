"""Devices that are plugins of ONNX Runtime. None runs here, so its own CPU device takes the place of a plugin's."""

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace

import numpy as np
import onnxruntime
import pytest

import mnistgen
from mnistgen.inference import session

pytestmark = pytest.mark.skipif(
    not hasattr(onnxruntime.SessionOptions, "add_provider_for_devices"), reason="needs ONNX Runtime 1.23"
)


@pytest.fixture
def plugin(monkeypatch):
    """A function that installs a plugin for the device "webgpu", which provides `name`."""

    def install(name, path="no-such-library"):
        module = ModuleType(session.PLUGINS["webgpu"])
        module.__spec__ = ModuleSpec(module.__name__, None)
        module.get_ep_name, module.get_library_path = lambda: name, lambda: path
        monkeypatch.setitem(sys.modules, module.__name__, module)

    return install


def error_of(device="webgpu"):
    with pytest.raises(mnistgen.MnistgenError) as caught:
        mnistgen.load("vae", device=device)
    assert "use the device cpu" in caught.value.remedy
    return caught.value.code


def test_plugin_draws(plugin):
    plugin(session.CPU)
    on_plugin = mnistgen.load("vae", device="webgpu")
    expected = mnistgen.load("vae", device="cpu").generate(20, seed=1)
    np.testing.assert_array_equal(on_plugin.generate(20, seed=1), expected)


def test_plugin_that_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, session.PLUGINS["openvino"], None)  # import machinery: not found
    assert error_of("openvino") == "package-missing"


def test_library_that_cannot_be_loaded(plugin):
    plugin("OtherExecutionProvider")
    assert error_of() == "plugin-failed"


def test_plugin_without_device(plugin, monkeypatch):
    plugin("OtherExecutionProvider")
    monkeypatch.setattr(onnxruntime, "register_execution_provider_library", lambda name, path: None)
    assert error_of() == "plugin-without-device"


def test_plugin_that_does_not_run_the_model(plugin, monkeypatch):
    plugin("OtherExecutionProvider")
    monkeypatch.setattr(onnxruntime, "get_ep_devices", lambda: [SimpleNamespace(ep_name="OtherExecutionProvider")])
    monkeypatch.setattr(
        onnxruntime.SessionOptions,
        "add_provider_for_devices",
        lambda options, devices, settings: options.add_provider("CPUExecutionProvider", {}),
    )
    assert error_of() == "plugin-failed"


def test_runtime_without_plugins(plugin, monkeypatch):
    plugin(session.CPU)
    monkeypatch.delattr(onnxruntime.SessionOptions, "add_provider_for_devices")
    assert error_of() == "runtime-too-old"
