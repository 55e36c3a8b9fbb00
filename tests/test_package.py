"""The wheel has the right files, and works in a separate environment without PyTorch."""

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import numpy as np
import pytest
from conftest import MODELS, ROOT
from PIL import Image

import mnistgen

PIP = ["-m", "pip", "--disable-pip-version-check", "-q"]
WHEELHOUSE = Path(sys.prefix) / "wheelhouse"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel built from this checkout."""
    folder = tmp_path_factory.mktemp("dist")
    build = ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT)]
    subprocess.run([sys.executable, *PIP, *build], check=True, timeout=120)
    (built,) = folder.glob("*.whl")
    return built


def test_wheel_contents(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names} == {"mnistgen", f"mnistgen-{mnistgen.__version__}.dist-info"}
    assert {name for name in names if "artifacts" in name} == {
        "mnistgen/artifacts/manifest.json",
        *(f"mnistgen/artifacts/{name}.onnx" for name in (*MODELS, "verifier")),
    }
    assert "mnistgen/py.typed" in names
    licenses = {name.rpartition("/")[2] for name in names if "/licenses/" in name}
    assert licenses == {"LICENSE", "NOTICE"}
    assert not [name for name in names if name.endswith((".safetensors", ".pt"))]


@pytest.mark.skipif(not WHEELHOUSE.is_dir(), reason="needs the wheels that `make test` downloads")
def test_wheel_generates_without_pytorch(wheel, tmp_path):
    python = tmp_path / "venv" / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    venv.create(tmp_path / "venv", symlinks=sys.platform != "win32")
    install = ["install", "--no-index", "--no-compile", "--find-links", str(WHEELHOUSE), f"{wheel}[cpu]"]
    subprocess.run([sys.executable, *PIP, "--python", python, *install], check=True, timeout=300)
    assert subprocess.run([python, "-c", "import torch"], capture_output=True, check=False).returncode == 1
    for name in MODELS:
        options = ["--model", name, "--n", "10", "--seed", "0", "--scale", "1", "--out", f"{name}.png", "--quiet"]
        subprocess.run([python.parent / "mnistgen-run", *options], check=True, cwd=tmp_path, timeout=60)
        with Image.open(tmp_path / f"{name}.png") as image:
            drawn = np.asarray(image)
        np.testing.assert_array_equal(drawn, np.concatenate(list(mnistgen.load(name).generate(10, seed=0)), axis=1))
